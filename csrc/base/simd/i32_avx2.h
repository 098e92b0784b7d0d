// Eight 32-bit integers, beside f32_avx2.h.
#pragma once

#include "base/simd/f32_avx2.h"

namespace {

struct I32 {
  using Vec = __m256i;

  static Vec load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static Vec set(std::int32_t v) { return _mm256_set1_epi32(v); }
  static Vec add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static Vec sub(Vec a, Vec b) { return _mm256_sub_epi32(a, b); }
  static Vec mul(Vec a, Vec b) { return _mm256_mullo_epi32(a, b); }
  static Vec bit_and(Vec a, Vec b) { return _mm256_and_si256(a, b); }
  static Vec and_or(Vec a, Vec b, Vec c) { return _mm256_or_si256(_mm256_and_si256(a, b), c); }  // (a & b) | c
  static Vec shift_right(Vec a, unsigned bits) {
    return _mm256_srl_epi32(a, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  template <int kBits>
  static Vec shift_right(Vec a) {
    return _mm256_srli_epi32(a, kBits);
  }
  static F32::Vec as_float(Vec a) { return _mm256_castsi256_ps(a); }  // the same bits
  static F32::Vec to_float(Vec a) { return _mm256_cvtepi32_ps(a); }
};

}  // namespace
