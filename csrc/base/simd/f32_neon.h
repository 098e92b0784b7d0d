// Four floats: see f32_scalar.h for what each operation means.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

namespace {

struct F32 {
  using Vec = float32x4_t;
  static constexpr std::size_t kWidth = 4;

  static Vec load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Vec v) { vst1q_f32(p, v); }
  // Of integral values in -128 ... 127.
  static void store_codes(std::int8_t* p, Vec v) {
    const int16x4_t halves = vmovn_s32(vcvtq_s32_f32(v));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(halves, halves));
    const std::int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    __builtin_memcpy(p, &four, sizeof four);
  }
  static Vec set(float v) { return vdupq_n_f32(v); }
  static Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
  static Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
  static Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
  static Vec div(Vec a, Vec b) { return vdivq_f32(a, b); }
  static Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
  // Not FMAX and FMIN: they make NaN of any NaN and choose between zeros by their sign.
  static Vec max(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static Vec min(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static Vec abs(Vec a) { return vabsq_f32(a); }
  static Vec if_negative(Vec x, Vec a, Vec b) { return vbslq_f32(vcltzq_f32(x), a, b); }
  static Vec round(Vec a) {
    const Vec magic = vdupq_n_f32(12582912.0f);
    return vsubq_f32(vaddq_f32(a, magic), magic);
  }
  static Vec power_of_two(Vec a) {
    const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(a), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
  }
};

}  // namespace
