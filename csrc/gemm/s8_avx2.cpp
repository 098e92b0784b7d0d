// AVX2 has no exact byte dot product: VPMADDUBSW saturates its 16-bit sums on full-range bytes. Eight-bit weights are
// widened to 16 bits (a mask and a shift, as they are unsigned) for VPMADDWD; four-bit weights may use VPMADDUBSW.
#include <immintrin.h>

#include "base/simd/unroll.h"
#include "gemm/kernel.h"

namespace {

constexpr int kPanel = 16, kColumns = 2;

// sums += float(acc - zero_point * row_sum) * scale for the rows of one group.
template <int kRows>
PARING_INLINE inline void add_group(const paring::TileTask& task, std::size_t g,
                                    const __m256i (&acc)[kRows][kColumns]) {
  unroll<kColumns>([&](auto c) PARING_INLINE {
    const __m256i zero_point =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(task.zero_points + g * kPanel + c * 8));
    const __m256 scale = _mm256_loadu_ps(task.scales + g * kPanel + c * 8);
    unroll<kRows>([&](auto r) PARING_INLINE {
      float* sums = task.sums + r * kPanel + c * 8;
      const __m256i correction = _mm256_mullo_epi32(zero_point, _mm256_set1_epi32(task.row_sums[g * kRows + r]));
      const __m256 exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(acc[r][c], correction));
      const __m256 before = g == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(sums);
      _mm256_storeu_ps(sums, _mm256_fmadd_ps(exact, scale, before));
    });
  });
}

PARING_INLINE inline __m256i load(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

PARING_INLINE inline __m256i broadcast_i32(const void* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return _mm256_set1_epi32(value);
}

struct U8 {
  using X = std::int16_t;  // (k0, k2), (k1, k3) of each row
  static constexpr int kStepValues = 4;

  template <int kRows>
  PARING_INLINE static void add_step(const std::uint8_t* w, const X* x, __m256i (&acc)[kRows][kColumns]) {
    __m256i even[kColumns], odd[kColumns];
    unroll<kColumns>([&](auto c) PARING_INLINE {
      const __m256i bytes = load(w + c * 32);
      even[c] = _mm256_and_si256(bytes, _mm256_set1_epi16(0x00ff));
      odd[c] = _mm256_srli_epi16(bytes, 8);
    });
    unroll<kRows>([&](auto r) PARING_INLINE {
      const __m256i x_even = broadcast_i32(x + r * 4), x_odd = broadcast_i32(x + r * 4 + 2);
      unroll<kColumns>([&](auto c) PARING_INLINE {
        // |sum of two products| <= 2 * 127 * 255: exact in 32 bits.
        acc[r][c] = _mm256_add_epi32(acc[r][c], _mm256_madd_epi16(even[c], x_even));
        acc[r][c] = _mm256_add_epi32(acc[r][c], _mm256_madd_epi16(odd[c], x_odd));
      });
    });
  }
};

struct U4 {
  using X = std::int8_t;
  static constexpr int kStepValues = 8;

  template <int kRows>
  PARING_INLINE static void add_step(const std::uint8_t* w, const X* x, __m256i (&acc)[kRows][kColumns]) {
    const __m256i nibbles = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i low[kColumns], high[kColumns];
    unroll<kColumns>([&](auto c) PARING_INLINE {
      const __m256i bytes = load(w + c * 32);
      low[c] = _mm256_and_si256(bytes, nibbles);
      high[c] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibbles);
    });
    unroll<kRows>([&](auto r) PARING_INLINE {
      const __m256i x_low = broadcast_i32(x + r * 4), x_high = broadcast_i32(x + (kRows + r) * 4);
      unroll<kColumns>([&](auto c) PARING_INLINE {
        // Four products of at most 15 * 127 a lane: 7620 in magnitude, far from saturation at 32767.
        const __m256i pairs =
            _mm256_add_epi16(_mm256_maddubs_epi16(low[c], x_low), _mm256_maddubs_epi16(high[c], x_high));
        acc[r][c] = _mm256_add_epi32(acc[r][c], _mm256_madd_epi16(pairs, ones));
      });
    });
  }
};

template <typename Weights, int kRows>
void tile(const paring::TileTask& task) {
  const auto* w = static_cast<const std::uint8_t*>(task.weights);
  const auto* x = static_cast<const typename Weights::X*>(task.activations);
  for (std::size_t g = 0; g < task.groups; ++g) {
    const std::size_t steps = g + 1 < task.groups ? task.group_steps : task.last_group_steps;
    __m256i acc[kRows][kColumns];
    unroll<kRows>([&](auto r) PARING_INLINE {
      unroll<kColumns>([&](auto c) PARING_INLINE { acc[r][c] = _mm256_setzero_si256(); });
    });
    for (std::size_t s = 0; s < steps; ++s, w += kPanel * 4, x += kRows * Weights::kStepValues)
      Weights::template add_step<kRows>(w, x, acc);
    add_group<kRows>(task, g, acc);
  }
}

template <typename Weights, int kMaxRows>
void any_rows(const paring::TileTask& task) {
  if constexpr (kMaxRows > 1) {
    if (task.rows < kMaxRows) return any_rows<Weights, kMaxRows - 1>(task);
  }
  tile<Weights, kMaxRows>(task);
}

}  // namespace

namespace paring {
void gemm_s8u8_avx2(const TileTask& task) { any_rows<U8, 4>(task); }
void gemm_s8u4_avx2(const TileTask& task) { any_rows<U4, 4>(task); }
}  // namespace paring
