#include <arm_neon.h>

#include "probes/probe_body.inl"

namespace {
struct P {
  static constexpr int kSums = 16;
  using Bytes = uint8x16_t;
  static Bytes load(const std::byte* p) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p)); }
};
// An exact product of bytes is one of 16 bits, widened to 32.
inline int32x4_t dot(int32x4_t sum, int32x4_t a, int32x4_t b) {
  return vmlal_s16(sum, vget_low_s16(vreinterpretq_s16_s32(a)), vget_low_s16(vreinterpretq_s16_s32(b)));
}
inline float32x4_t fma(float32x4_t sum, float32x4_t a, float32x4_t b) { return vfmaq_f32(sum, a, b); }
}  // namespace

namespace paring {
constexpr Probe kProbeNeon = {"probe_neon",
                              Feature::kNeon,
                              &add_products<P, int32x4_t, &dot>,
                              P::kSums * 4 * 2.0,
                              &add_products<P, float32x4_t, &fma>,
                              P::kSums * 4 * 2.0,
                              &read_all<P>};
}  // namespace paring
