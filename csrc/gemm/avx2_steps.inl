// AVX2 has no exact byte dot product: VPMADDUBSW saturates its 16-bit sums on full-range bytes. Eight-bit weights are
// widened to 16 bits (a mask and a shift, as they are unsigned) for VPMADDWD; four-bit weights may use VPMADDUBSW.
#include "base/simd/i32_avx2.h"
#include "gemm/integer_sums.inl"

namespace {

PARING_INLINE inline __m256i broadcast_i32(const void* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return _mm256_set1_epi32(value);
}

struct Bytes {
  using X = std::int16_t;  // (k0, k2), (k1, k3) of each row
  static constexpr int kStepValues = 4, kMask = 255, kRegisters = 16;
  static constexpr bool kSigned = false;

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    unroll<kVectors>([&](auto v) PARING_INLINE {
      const __m256i bytes = I32::load(vector_at(w, next, v));
      const __m256i even = _mm256_and_si256(bytes, _mm256_set1_epi16(0x00ff)), odd = _mm256_srli_epi16(bytes, 8);
      unroll<kRows>([&](auto r) PARING_INLINE {
        // |sum of two products| <= 2 * 128 * 255: exact in 32 bits.
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(even, broadcast_i32(x + r * 4)));
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(odd, broadcast_i32(x + r * 4 + 2)));
      });
    });
  }
};

struct Nibbles {
  using X = std::int8_t;
  static constexpr int kStepValues = 8, kMask = 15, kRegisters = 16;
  static constexpr bool kSigned = false;

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    const __m256i nibbles = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    unroll<kVectors>([&](auto v) PARING_INLINE {
      const __m256i bytes = I32::load(vector_at(w, next, v));
      const __m256i low = _mm256_and_si256(bytes, nibbles);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibbles);
      unroll<kRows>([&](auto r) PARING_INLINE {
        // Four products of at most 15 * 128 a lane: 7680 in magnitude, far from saturation at 32767.
        const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low, broadcast_i32(x + r * 4)),
                                               _mm256_maddubs_epi16(high, broadcast_i32(x + (kRows + r) * 4)));
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(pairs, ones));
      });
    });
  }
};

}  // namespace
