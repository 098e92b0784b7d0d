// VPDPBUSD at the width of this level.
#pragma once

#include "base/simd/i32_avx512.h"

namespace {
struct Dot {
  static constexpr int kRegisters = 32;
  static constexpr bool kSignedWeights = false;
  static __m512i add(__m512i sum, __m512i w, __m512i x) { return _mm512_dpbusd_epi32(sum, w, x); }
};
}  // namespace
