// Four non-zeros at a time: their rows of x are interleaved to quads of bytes, one quad a lane, for VPDPBUSD. It wants
// one unsigned side: x + 128 costs nothing, as the sum of a row's codes is known when packing.
#include <immintrin.h>

#include "sparse/kernel.h"
#include "sparse/s8_single.inl"

namespace {

// Bytes of x in a register, and the same number of lanes in four registers of int32. In each 16-byte piece p of a
// register, sum i holds lanes 16 p + 4 i ... + 3; `in_order` puts them in ascending order.
struct Lanes64 {
  using Bytes = __m512i;
  using Floats = __m512;
  static Bytes load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static Bytes set(std::int32_t v) { return _mm512_set1_epi32(v); }
  static Bytes low8(Bytes a, Bytes b) { return _mm512_unpacklo_epi8(a, b); }
  static Bytes high8(Bytes a, Bytes b) { return _mm512_unpackhi_epi8(a, b); }
  static Bytes low16(Bytes a, Bytes b) { return _mm512_unpacklo_epi16(a, b); }
  static Bytes high16(Bytes a, Bytes b) { return _mm512_unpackhi_epi16(a, b); }
  static Bytes dot(Bytes sum, Bytes x, Bytes w) { return _mm512_dpbusd_epi32(sum, x, w); }
  static Floats scaled(Bytes sum, float scale) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(scale), _mm512_setzero_ps());
  }
  static void store_in_order(float* p, const Floats (&v)[4]) {
    const Floats low01 = _mm512_shuffle_f32x4(v[0], v[1], 0x44), low23 = _mm512_shuffle_f32x4(v[2], v[3], 0x44);
    const Floats high01 = _mm512_shuffle_f32x4(v[0], v[1], 0xee), high23 = _mm512_shuffle_f32x4(v[2], v[3], 0xee);
    _mm512_storeu_ps(p, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(p + 16, _mm512_shuffle_f32x4(low01, low23, 0xdd));
    _mm512_storeu_ps(p + 32, _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(p + 48, _mm512_shuffle_f32x4(high01, high23, 0xdd));
  }
};

struct Lanes32 {
  using Bytes = __m256i;
  using Floats = __m256;
  static Bytes load(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Bytes set(std::int32_t v) { return _mm256_set1_epi32(v); }
  static Bytes low8(Bytes a, Bytes b) { return _mm256_unpacklo_epi8(a, b); }
  static Bytes high8(Bytes a, Bytes b) { return _mm256_unpackhi_epi8(a, b); }
  static Bytes low16(Bytes a, Bytes b) { return _mm256_unpacklo_epi16(a, b); }
  static Bytes high16(Bytes a, Bytes b) { return _mm256_unpackhi_epi16(a, b); }
  static Bytes dot(Bytes sum, Bytes x, Bytes w) { return _mm256_dpbusd_epi32(sum, x, w); }
  static Floats scaled(Bytes sum, float scale) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale), _mm256_setzero_ps());
  }
  static void store_in_order(float* p, const Floats (&v)[4]) {
    for (int half = 0; half < 2; ++half) {
      const Floats a = v[2 * half], b = v[2 * half + 1];
      _mm256_storeu_ps(p + 8 * half, _mm256_permute2f128_ps(a, b, 0x20));
      _mm256_storeu_ps(p + 16 + 8 * half, _mm256_permute2f128_ps(a, b, 0x31));
    }
  }
};

struct Lanes16 {
  using Bytes = __m128i;
  using Floats = __m128;
  static Bytes load(const std::uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static Bytes set(std::int32_t v) { return _mm_set1_epi32(v); }
  static Bytes low8(Bytes a, Bytes b) { return _mm_unpacklo_epi8(a, b); }
  static Bytes high8(Bytes a, Bytes b) { return _mm_unpackhi_epi8(a, b); }
  static Bytes low16(Bytes a, Bytes b) { return _mm_unpacklo_epi16(a, b); }
  static Bytes high16(Bytes a, Bytes b) { return _mm_unpackhi_epi16(a, b); }
  static Bytes dot(Bytes sum, Bytes x, Bytes w) { return _mm_dpbusd_epi32(sum, x, w); }
  static Floats scaled(Bytes sum, float scale) {
    return _mm_fmadd_ps(_mm_cvtepi32_ps(sum), _mm_set1_ps(scale), _mm_setzero_ps());
  }
  static void store_in_order(float* p, const Floats (&v)[4]) {
    for (int i = 0; i < 4; ++i) _mm_storeu_ps(p + 4 * i, v[i]);
  }
};

template <typename V>
void s8_panel(const paring::SparseTask& task) {
  constexpr std::size_t kLanes = sizeof(typename V::Bytes);
  const auto* x = static_cast<const std::uint8_t*>(task.x);
  const auto* codes = static_cast<const std::int8_t*>(task.values);
  const auto* columns = static_cast<const std::uint16_t*>(task.columns);
  for (std::size_t r = 0; r < task.rows; ++r) {
    typename V::Bytes sum0 = V::set(-task.corrections[r]), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    for (std::size_t e = task.starts[r]; e < task.starts[r + 1]; e += 4) {
      std::int32_t quad;
      __builtin_memcpy(&quad, codes + e, sizeof quad);
      const auto weights = V::set(quad);
      const auto x0 = V::load(x + columns[e] * kLanes), x1 = V::load(x + columns[e + 1] * kLanes);
      const auto x2 = V::load(x + columns[e + 2] * kLanes), x3 = V::load(x + columns[e + 3] * kLanes);
      const auto low01 = V::low8(x0, x1), low23 = V::low8(x2, x3);
      const auto high01 = V::high8(x0, x1), high23 = V::high8(x2, x3);
      sum0 = V::dot(sum0, V::low16(low01, low23), weights);
      sum1 = V::dot(sum1, V::high16(low01, low23), weights);
      sum2 = V::dot(sum2, V::low16(high01, high23), weights);
      sum3 = V::dot(sum3, V::high16(high01, high23), weights);
    }
    const float scale = task.scales[r];
    const typename V::Floats sums[4] = {V::scaled(sum0, scale), V::scaled(sum1, scale), V::scaled(sum2, scale),
                                        V::scaled(sum3, scale)};
    V::store_in_order(task.sums + r * kLanes, sums);
  }
}

}  // namespace

namespace paring {
void spmm_s8_avx512vnni(const SparseTask& task) {
  switch (task.lanes) {
    case 1: return s8_single_row<std::int8_t, std::uint8_t>(task);
    case 16: return s8_panel<Lanes16>(task);
    case 32: return s8_panel<Lanes32>(task);
    default: return s8_panel<Lanes64>(task);
  }
}
}  // namespace paring
