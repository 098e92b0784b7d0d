// The contract of kernel.h in plain loops; the other files must agree with it to the byte.
#include "gemm/kernel.h"

namespace {

constexpr std::size_t kPanel = 16;

// Sums of x * w over one step, for every row and column.
void add_step_u8(const std::uint8_t* w, const std::int8_t* x, std::size_t rows, std::int32_t* acc) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < kPanel; ++c)
      for (std::size_t i = 0; i < 4; ++i) acc[r * kPanel + c] += x[r * 4 + i] * w[c * 4 + i];
}

void add_step_u4(const std::uint8_t* w, const std::int8_t* x, std::size_t rows, std::int32_t* acc) {
  const std::int8_t* high = x + rows * 4;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < kPanel; ++c)
      for (std::size_t i = 0; i < 4; ++i)
        acc[r * kPanel + c] += x[r * 4 + i] * (w[c * 4 + i] & 15) + high[r * 4 + i] * (w[c * 4 + i] >> 4);
}

template <std::size_t kQuadsPerStep, typename AddStep>
void tile(const paring::TileTask& task, const AddStep& add_step) {
  const auto* w = static_cast<const std::uint8_t*>(task.weights);
  const auto* x = static_cast<const std::int8_t*>(task.activations);
  for (std::size_t i = 0; i < task.rows * kPanel; ++i) task.sums[i] = 0.0f;
  for (std::size_t g = 0; g < task.groups; ++g) {
    std::int32_t acc[4 * kPanel] = {};
    const std::size_t steps = g + 1 < task.groups ? task.group_steps : task.last_group_steps;
    for (std::size_t s = 0; s < steps; ++s, w += kPanel * 4, x += task.rows * 4 * kQuadsPerStep)
      add_step(w, x, task.rows, acc);
    for (std::size_t r = 0; r < task.rows; ++r)
      for (std::size_t c = 0; c < kPanel; ++c) {
        const std::int32_t exact =
            acc[r * kPanel + c] - task.zero_points[g * kPanel + c] * task.row_sums[g * task.rows + r];
        float& sum = task.sums[r * kPanel + c];
        sum = __builtin_fmaf(static_cast<float>(exact), task.scales[g * kPanel + c], sum);
      }
  }
}

}  // namespace

namespace paring {
void gemm_s8u8_scalar(const TileTask& task) { tile<1>(task, add_step_u8); }
void gemm_s8u4_scalar(const TileTask& task) { tile<2>(task, add_step_u4); }
}  // namespace paring
