#include <algorithm>
#include <cmath>

#include "quantize/quantize.h"

namespace paring {
namespace {

constexpr float kEpsilon = 0x1p-23f;

// Next to the largest float32, rounding may carry a scale, or a code times it, beyond the range: then the scale gives
// way by one step (symmetric), or the codes at the ends are not used, so that every code decodes to a finite value.
void keep_finite(Grid& grid, bool symmetric) {
  const auto beyond = [&](std::int32_t code) {
    return std::isinf(static_cast<float>(code - grid.rule.after) * grid.scale);
  };
  if (symmetric && beyond(grid.rule.low) && beyond(-grid.rule.low)) {
    grid.scale = std::nextafter(grid.scale, 0.0f);
    grid.rule.scale = grid.scale;
  }
  while (beyond(grid.rule.low)) ++grid.rule.low;
  while (beyond(grid.rule.high)) --grid.rule.high;
}

Grid paring_grid(const QuantizeScheme& scheme, float min, float max, std::int32_t low, std::int32_t high) {
  float scale = 0;
  if (!scheme.symmetric) {
    scale = static_cast<float>((static_cast<double>(max) - static_cast<double>(min)) / (high - low));
  } else if (scheme.bits == 8) {
    scale = std::max(-min, max) / 127.0f;
    low = -127;
  } else {
    scale = (-min >= max ? min : max) / static_cast<float>(low);
  }
  if (std::fabs(scale) < kSmallestNormal) return {1.0f, 0, {1.0f, 0.0f, 0, low, high}};
  if (scheme.symmetric) return {scale, 0, {scale, 0.0f, 0, low, high}};
  const auto floor = static_cast<float>(low), ceiling = static_cast<float>(high);
  const auto zero_point = static_cast<std::int32_t>(std::clamp(std::nearbyint(floor - min / scale), floor, ceiling));
  return {scale, static_cast<std::int8_t>(zero_point), {scale, 0.0f, zero_point, low, high}};
}

Grid compressed_tensors_grid(const QuantizeScheme& scheme, float min, float max, std::int32_t low, std::int32_t high) {
  const auto floor = static_cast<float>(low), ceiling = static_cast<float>(high);
  float scale = scheme.symmetric ? std::max(-min, max) / ((ceiling - floor) / 2.0f) : (max - min) / (ceiling - floor);
  if (!std::isfinite(scale))
    scale = static_cast<float>((static_cast<double>(max) - static_cast<double>(min)) / (high - low));
  if (scale == 0.0f) return {kEpsilon, 0, {kEpsilon, 0.0f, 0, low, high}};
  if (scheme.symmetric) return {scale, 0, {scale, 0.0f, 0, low, high}};
  const float zero_point = std::nearbyint(std::clamp(floor - min / scale, floor, ceiling));
  return {scale, static_cast<std::int8_t>(zero_point), {scale, zero_point, 0, low, high}};
}

}  // namespace

Grid grid_of_range(const QuantizeScheme& scheme, float smallest, float largest) {
  const float min = std::min(smallest, 0.0f), max = std::max(largest, 0.0f);
  const std::int32_t half = 1 << (scheme.bits - 1);
  if (scheme.convention == Convention::kCompressedTensors)
    return compressed_tensors_grid(scheme, min, max, -half, half - 1);
  Grid grid = paring_grid(scheme, min, max, -half, half - 1);
  keep_finite(grid, scheme.symmetric);
  return grid;
}

}  // namespace paring
