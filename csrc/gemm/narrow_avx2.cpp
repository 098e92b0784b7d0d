#include "base/simd/i32_avx2.h"
#include "gemm/narrow_weights.inl"

namespace {

// Codes of 4 bits are converted: there is no register for another constant.
template <bool>
struct Nibbles {
  static constexpr int kBits = 4;
  static constexpr float kOffset = 0.0f;
  static constexpr bool kZeroPointTaken = false;

  explicit Nibbles(std::int32_t) {}

  template <int kIndex>
  PARING_INLINE F32::Vec of(I32::Vec words) const {
    constexpr int kShift = shift_of<kBits>(kIndex);
    if constexpr (kShift > 0) words = I32::shift_right<kShift>(words);
    if constexpr (kShift + kBits < 32) words = I32::bit_and(words, I32::set(15));
    return I32::to_float(words);
  }
  PARING_INLINE F32::Vec of(I32::Vec words, int index) const {
    return I32::to_float(
        I32::bit_and(I32::shift_right(words, static_cast<unsigned>(shift_of<kBits>(index))), I32::set(15)));
  }
};

template <bool>
using Bytes = PlainNumbers<8>;

struct Float16 {
  static constexpr std::size_t kBytes = 2;
  PARING_INLINE static F32::Vec load(const std::byte* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
};

struct BFloat16 {
  static constexpr std::size_t kBytes = 2;
  PARING_INLINE static F32::Vec load(const std::byte* from) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
};

}  // namespace

namespace paring {
void expand_u8_avx2(const ExpandTask& t) {
  t.layout->one_zero_point ? expand<Codes<Bytes, true>>(t) : expand<Codes<Bytes, false>>(t);
}
void few_f32u8_avx2(const FewTask& t) {
  t.layout->one_zero_point ? few<Codes<Bytes, true>, 6>(t) : few<Codes<Bytes, false>, 6>(t);
}
void expand_u4_avx2(const ExpandTask& t) {
  t.layout->one_zero_point ? expand<Codes<Nibbles, true>>(t) : expand<Codes<Nibbles, false>>(t);
}
void few_f32u4_avx2(const FewTask& t) {
  t.layout->one_zero_point ? few<Codes<Nibbles, true>, 6>(t) : few<Codes<Nibbles, false>, 6>(t);
}
void expand_f16_avx2(const ExpandTask& t) { expand<Floats<Float16>>(t); }
void few_f32f16_avx2(const FewTask& t) { few<Floats<Float16>, 6>(t); }
void expand_bf16_avx2(const ExpandTask& t) { expand<Floats<BFloat16>>(t); }
void few_f32bf16_avx2(const FewTask& t) { few<Floats<BFloat16>, 6>(t); }
void few_f32_avx2(const FewTask& t) { few<Floats<Float32>, 6>(t); }
}  // namespace paring
