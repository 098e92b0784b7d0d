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

// The weight of column c that meets a row's exact value.
float exact_weight(const paring::IntegerTask& task, const paring::ColumnPlace& place, std::size_t c,
                   std::uint32_t mask) {
  std::uint32_t word;
  __builtin_memcpy(&word, task.panel + place.codes + c * 4, sizeof word);
  const auto* scales = reinterpret_cast<const float*>(task.panel + place.scales);
  const auto* zero_points = reinterpret_cast<const std::int32_t*>(scales + kPanel);
  const std::int32_t zero_point = task.layout->one_zero_point ? task.layout->zero_point : zero_points[c];
  return static_cast<float>(static_cast<std::int32_t>((word >> place.shift) & mask) - zero_point) * scales[c];
}

template <std::size_t kQuadsPerStep, typename AddStep>
void tile(const paring::IntegerTask& task, std::uint32_t mask, const AddStep& add_step) {
  const paring::PanelLayout& layout = *task.layout;
  const auto* w = reinterpret_cast<const std::uint8_t*>(task.panel);
  const auto* x = static_cast<const std::int8_t*>(task.activations);
  const auto* bias = reinterpret_cast<const float*>(task.panel + layout.bias_offset);
  float sums[4 * kPanel] = {};
  for (std::size_t g = 0; g < layout.groups; ++g, w += layout.parameter_bytes) {
    std::int32_t acc[4 * kPanel];
    const std::size_t steps = g + 1 < layout.groups ? layout.group_steps : layout.last_group_steps;
    const auto* scales = reinterpret_cast<const float*>(w + steps * kPanel * 4);
    const auto* zero_points = reinterpret_cast<const std::int32_t*>(scales + kPanel);
    for (std::size_t r = 0; r < task.rows; ++r)
      for (std::size_t c = 0; c < kPanel; ++c)
        acc[r * kPanel + c] = task.row_starts[g * task.rows + r] * (layout.one_zero_point ? 1 : zero_points[c]);
    for (std::size_t s = 0; s < steps; ++s, w += kPanel * 4, x += task.rows * 4 * kQuadsPerStep)
      add_step(w, x, task.rows, acc);
    for (std::size_t r = 0; r < task.rows; ++r)
      for (std::size_t c = 0; c < kPanel; ++c)
        sums[r * kPanel + c] = __builtin_fmaf(static_cast<float>(acc[r * kPanel + c]), scales[c], sums[r * kPanel + c]);
  }
  for (std::size_t r = 0; r < task.rows; ++r)
    for (std::size_t c = 0; c < task.columns; ++c) {
      const float y = __builtin_fmaf(sums[r * kPanel + c], task.row_scales[r], bias[c]);
      const float weight = exact_weight(task, task.exact_places[r], c, mask);
      task.y[r * task.y_stride + c] = __builtin_fmaf(task.exact_values[r], weight, y) + 0.0f;
    }
}

}  // namespace

namespace paring {
void gemm_s8u8_scalar(const IntegerTask& task) { tile<1>(task, 255, add_step_u8); }
void gemm_s8u4_scalar(const IntegerTask& task) { tile<2>(task, 15, add_step_u4); }
}  // namespace paring
