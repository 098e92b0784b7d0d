// The contract of kernel.h in plain loops; the other files must agree with it to the byte.
#include "sparse/kernel.h"
#include "sparse/s8_single.inl"

namespace paring {
void spmm_s8_scalar(const SparseTask& task) {
  if (task.lanes == 1) return s8_single_row<std::int16_t, std::int16_t>(task);
  constexpr std::size_t kLanes = 16;
  const auto* x = static_cast<const std::int16_t*>(task.x);
  const auto* codes = static_cast<const std::int16_t*>(task.values);
  const auto* columns = static_cast<const std::uint16_t*>(task.columns);
  for (std::size_t r = 0; r < task.rows; ++r) {
    std::int32_t acc[kLanes] = {};
    for (std::size_t e = task.starts[r]; e < task.starts[r + 1]; ++e) {
      const std::int16_t* lanes = x + columns[e] * kLanes;
#pragma GCC unroll 1
      for (std::size_t i = 0; i < kLanes; ++i) acc[i] += codes[e] * lanes[i];
    }
    for (std::size_t i = 0; i < kLanes; ++i)
      task.sums[r * kLanes + i] = __builtin_fmaf(static_cast<float>(acc[i]), task.scales[r], 0.0f);
  }
}
}  // namespace paring
