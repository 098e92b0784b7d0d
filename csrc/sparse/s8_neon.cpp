// SMLAL multiplies 16 bits to 32 and adds, so codes and x are widened when packing.
#include <arm_neon.h>

#include "sparse/kernel.h"
#include "sparse/s8_single.inl"

namespace {

constexpr std::size_t kWidth = 8;  // lanes of a vector of x

template <int kVectors>
void s8_panel(const paring::SparseTask& task) {
  constexpr std::size_t kLanes = kVectors * kWidth;
  const auto* x = static_cast<const std::int16_t*>(task.x);
  const auto* codes = static_cast<const std::int16_t*>(task.values);
  const auto* columns = static_cast<const std::uint16_t*>(task.columns);
  for (std::size_t r = 0; r < task.rows; ++r) {
    int32x4_t low[kVectors] = {}, high[kVectors] = {};
    for (std::size_t e = task.starts[r]; e < task.starts[r + 1]; ++e) {
      const std::int16_t* lanes = x + columns[e] * kLanes;
      const int16x4_t code = vdup_n_s16(codes[e]);
      for (int v = 0; v < kVectors; ++v) {
        const int16x8_t values = vld1q_s16(lanes + v * kWidth);
        low[v] = vmlal_s16(low[v], vget_low_s16(values), code);
        high[v] = vmlal_high_lane_s16(high[v], values, code, 0);
      }
    }
    const float32x4_t scale = vdupq_n_f32(task.scales[r]), zero = vdupq_n_f32(0.0f);
    for (int v = 0; v < kVectors; ++v) {
      float* sums = task.sums + r * kLanes + v * kWidth;
      vst1q_f32(sums, vfmaq_f32(zero, vcvtq_f32_s32(low[v]), scale));
      vst1q_f32(sums + 4, vfmaq_f32(zero, vcvtq_f32_s32(high[v]), scale));
    }
  }
}

}  // namespace

namespace paring {
void spmm_s8_neon(const SparseTask& task) {
  if (task.lanes == 1) return s8_single_row<std::int16_t, std::int16_t>(task);
  task.lanes == 2 * kWidth ? s8_panel<2>(task) : s8_panel<4>(task);
}
}  // namespace paring
