// Four 32-bit integers, beside f32_neon.h.
#pragma once

#include "base/simd/f32_neon.h"

namespace {

struct I32 {
  using Vec = int32x4_t;

  static Vec load(const void* p) { return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p))); }
  static Vec set(std::int32_t v) { return vdupq_n_s32(v); }
  static Vec add(Vec a, Vec b) { return vaddq_s32(a, b); }
  static Vec sub(Vec a, Vec b) { return vsubq_s32(a, b); }
  static Vec mul(Vec a, Vec b) { return vmulq_s32(a, b); }
  static Vec bit_and(Vec a, Vec b) { return vandq_s32(a, b); }
  static Vec shift_right(Vec a, unsigned bits) {  // a shift to the left by less than nothing
    const int32x4_t left = vdupq_n_s32(-static_cast<std::int32_t>(bits));
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), left));
  }
  static F32::Vec to_float(Vec a) { return vcvtq_f32_s32(a); }
};

}  // namespace
