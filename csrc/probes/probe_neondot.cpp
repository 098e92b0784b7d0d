#include <arm_neon.h>

#include "probes/probe_body.inl"

namespace {
struct P {
  static constexpr int kSums = 16;
  using Bytes = uint8x16_t;
  static Bytes load(const std::byte* p) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(p)); }
};
inline int32x4_t dot(int32x4_t sum, int32x4_t a, int32x4_t b) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
inline float32x4_t fma(float32x4_t sum, float32x4_t a, float32x4_t b) { return vfmaq_f32(sum, a, b); }
}  // namespace

namespace paring {
constexpr Probe kProbeNeonDot = {
    "probe_neondot",     Feature::kNeon | Feature::kNeonDot,  &add_products<P, int32x4_t, &dot>,
    P::kSums * 16 * 2.0, &add_products<P, float32x4_t, &fma>, P::kSums * 4 * 2.0,
    &read_all<P>};
}  // namespace paring
