// Sixteen 32-bit integers, beside f32_avx512.h.
#pragma once

#include "base/simd/f32_avx512.h"

namespace {

struct I32 {
  using Vec = __m512i;

  static Vec load(const void* p) { return _mm512_loadu_si512(p); }
  static Vec set(std::int32_t v) { return _mm512_set1_epi32(v); }
  static Vec add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static Vec sub(Vec a, Vec b) { return _mm512_sub_epi32(a, b); }
  static Vec mul(Vec a, Vec b) { return _mm512_mullo_epi32(a, b); }
  static Vec bit_and(Vec a, Vec b) { return _mm512_and_si512(a, b); }
  static Vec and_or(Vec a, Vec b, Vec c) { return _mm512_ternarylogic_epi32(a, b, c, 0xea); }  // (a & b) | c
  static Vec shift_right(Vec a, unsigned bits) {
    return _mm512_srl_epi32(a, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  template <int kBits>
  static Vec shift_right(Vec a) {
    return _mm512_srli_epi32(a, kBits);
  }
  static F32::Vec as_float(Vec a) { return _mm512_castsi512_ps(a); }  // the same bits
  static F32::Vec to_float(Vec a) { return _mm512_cvtepi32_ps(a); }
};

}  // namespace
