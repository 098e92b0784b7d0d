// The contract of kernel.h in plain loops; the other files must agree with it to the byte.
#include "convolution/kernel.h"

namespace {

constexpr std::size_t kPositions = 16;

}  // namespace

namespace paring {

void convolution_s8_scalar(const ConvolutionTask& task) {
  const auto* filter = static_cast<const std::int8_t*>(task.filters);
  std::int32_t acc[kMostFilterRows * kPositions];
  for (std::size_t r = 0; r < task.rows; ++r)
    for (std::size_t p = 0; p < kPositions; ++p) acc[r * kPositions + p] = task.starts[r];
  for (std::size_t s = 0; s < task.steps; ++s, filter += task.rows * 4) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(task.grid + task.offsets[s]);
    for (std::size_t r = 0; r < task.rows; ++r)
      for (std::size_t p = 0; p < kPositions; ++p)
        for (std::size_t i = 0; i < 4; ++i) acc[r * kPositions + p] += filter[r * 4 + i] * bytes[p * 4 + i];
  }
  for (std::size_t r = 0; r < task.rows; ++r)
    for (std::size_t p = 0; p < kPositions; ++p) {
      const float sum = static_cast<float>(acc[r * kPositions + p]) * task.scales[r];
      task.y[r * task.y_stride + p] = __builtin_fmaf(sum, task.image_scale, task.bias[r]) + 0.0f;
    }
}

void convolution_f32_scalar(const ConvolutionTask& task) {
  const auto* filter = static_cast<const float*>(task.filters);
  float sums[kMostFilterRows * kPositions] = {};
  for (std::size_t s = 0; s < task.steps; ++s, filter += task.rows) {
    const auto* words = reinterpret_cast<const float*>(task.grid + task.offsets[s]);
    for (std::size_t r = 0; r < task.rows; ++r)
      for (std::size_t p = 0; p < kPositions; ++p)
        sums[r * kPositions + p] = __builtin_fmaf(filter[r], words[p], sums[r * kPositions + p]);
  }
  for (std::size_t r = 0; r < task.rows; ++r)
    for (std::size_t p = 0; p < kPositions; ++p)
      task.y[r * task.y_stride + p] = sums[r * kPositions + p] + task.bias[r] + 0.0f;
}

}  // namespace paring
