// Codes of 4 bits become numbers by a permutation of a table of all sixteen, which looks at the low four bits only and
// so needs no mask; the zero point is in the table where there is one for all.
#include "base/simd/i32_avx512.h"
#include "gemm/narrow_weights.inl"

namespace {

template <bool kOneZeroPoint>
struct Nibbles {
  static constexpr int kBits = 4;
  static constexpr float kOffset = 0.0f;
  static constexpr bool kZeroPointTaken = kOneZeroPoint;

  explicit Nibbles(std::int32_t zero_point)
      : table_(
            _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                                _mm512_set1_epi32(kOneZeroPoint ? zero_point : 0)))) {}

  template <int kIndex>
  PARING_INLINE F32::Vec of(I32::Vec words) const {
    return _mm512_permutexvar_ps(I32::shift_right<shift_of<kBits>(kIndex)>(words), table_);
  }
  PARING_INLINE F32::Vec of(I32::Vec words, int index) const {
    return _mm512_permutexvar_ps(I32::shift_right(words, static_cast<unsigned>(shift_of<kBits>(index))), table_);
  }

 private:
  __m512 table_;
};

template <bool>
using Bytes = PlainNumbers<8>;

struct Float16 {
  static constexpr std::size_t kBytes = 2;
  PARING_INLINE static F32::Vec load(const std::byte* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
};

struct BFloat16 {
  static constexpr std::size_t kBytes = 2;
  PARING_INLINE static F32::Vec load(const std::byte* from) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
};

}  // namespace

namespace paring {
void expand_u8_avx512(const ExpandTask& t) {
  t.layout->one_zero_point ? expand<Codes<Bytes, true>>(t) : expand<Codes<Bytes, false>>(t);
}
void few_f32u8_avx512(const FewTask& t) {
  t.layout->one_zero_point ? few<Codes<Bytes, true>, 12>(t) : few<Codes<Bytes, false>, 12>(t);
}
void expand_u4_avx512(const ExpandTask& t) {
  t.layout->one_zero_point ? expand<Codes<Nibbles, true>>(t) : expand<Codes<Nibbles, false>>(t);
}
void few_f32u4_avx512(const FewTask& t) {
  t.layout->one_zero_point ? few<Codes<Nibbles, true>, 12>(t) : few<Codes<Nibbles, false>, 12>(t);
}
void expand_f16_avx512(const ExpandTask& t) { expand<Floats<Float16>>(t); }
void few_f32f16_avx512(const FewTask& t) { few<Floats<Float16>, 12>(t); }
void expand_bf16_avx512(const ExpandTask& t) { expand<Floats<BFloat16>>(t); }
void few_f32bf16_avx512(const FewTask& t) { few<Floats<BFloat16>, 12>(t); }
void few_f32_avx512(const FewTask& t) { few<Floats<Float32>, 12>(t); }
}  // namespace paring
