// VPDPBUSD at the width of this level.
#pragma once

#include "base/simd/i32_avx2.h"

namespace {
struct Dot {
  static constexpr int kRegisters = 16;
  static constexpr bool kSignedWeights = false;
  static __m256i add(__m256i sum, __m256i w, __m256i x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
};
}  // namespace
