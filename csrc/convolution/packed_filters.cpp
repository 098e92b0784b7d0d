#include "convolution/packed_filters.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/require.h"

namespace paring {
namespace {

std::size_t quads(std::size_t count) { return (count + 3) / 4; }

// How many groups become one whose filters are 0 outside their own channels: a word of four channels then serves four
// depthwise filters. That beats words of taps, of which there is one a channel and position, unless taps are many.
std::size_t groups_together(const FilterShape& shape) {
  constexpr std::size_t kFewTaps = 16;
  const std::size_t together = 4 % shape.group_channels == 0 ? 4 / shape.group_channels : 1;
  return shape.taps() <= kFewTaps && shape.groups % together == 0 ? together : 1;
}

// The same filters in fewer groups.
std::vector<std::int8_t> join_groups(const FilterShape& shape, std::size_t together, const std::int8_t* codes) {
  std::vector<std::int8_t> joined(shape.filters * shape.depth() * together);
  for (std::size_t f = 0; f < shape.filters; ++f) {
    const std::size_t place = f / shape.group_filters() % together;
    std::copy_n(codes + f * shape.depth(), shape.depth(), joined.data() + (f * together + place) * shape.depth());
  }
  return joined;
}

// Words of four channels, or of four taps where that makes fewer steps.
GridWords words_of(ConvolutionKind kind, const FilterShape& shape) {
  if (kind == ConvolutionKind::kF32) return GridWords::kFloats;
  const std::size_t by_channels = quads(shape.group_channels) * shape.taps();
  const std::size_t by_taps = shape.group_channels * shape.rows * quads(shape.columns);
  return by_taps < by_channels ? GridWords::kTaps : GridWords::kChannels;
}

std::size_t steps_of(GridWords words, const FilterShape& shape) {
  switch (words) {
    case GridWords::kFloats: return shape.depth();
    case GridWords::kChannels: return quads(shape.group_channels) * shape.taps();
    case GridWords::kTaps: return shape.group_channels * shape.rows * quads(shape.columns);
  }
  return 0;
}

void put(float value, FilterLayout, std::size_t, std::byte* to) { std::memcpy(to, &value, sizeof value); }

// Value `within` of a step.
void put(std::int8_t value, FilterLayout layout, std::size_t within, std::byte* to) {
  if (layout == FilterLayout::kQuads) {
    to[within] = static_cast<std::byte>(value);
    return;
  }
  constexpr std::size_t kPlaces[4] = {0, 2, 1, 3};
  const std::int16_t wide = value;
  std::memcpy(to + kPlaces[within] * sizeof wide, &wide, sizeof wide);
}

}  // namespace

std::size_t PackedFilters::first_filter(std::size_t tile) const {
  const std::size_t count = shape_.group_filters(), size = count / tiles(), larger = count % tiles();
  return tile * size + std::min(tile, larger);
}

template <typename Value>
void PackedFilters::pack(const Value* values) {
  words_ = words_of(kernel_->kind, shape_);
  steps_ = steps_of(words_, shape_);
  value_bytes_ = kernel_->filters == FilterLayout::kPairs ? 8 : 4;
  bytes_ = AlignedBytes(shape_.filters * steps_ * value_bytes_);
  const std::size_t taps = shape_.taps();
  for (std::size_t group = 0; group < shape_.groups; ++group)
    for (std::size_t t = 0; t < tiles(); ++t) {
      const std::size_t first = group * shape_.group_filters() + first_filter(t);
      const std::size_t rows = first_filter(t + 1) - first_filter(t);
      std::byte* out = bytes_.data() + first * steps_ * value_bytes_;
      for (std::size_t r = 0; r < rows; ++r) {
        const Value* filter = values + (first + r) * shape_.depth();
        for (std::size_t k = 0; k < shape_.depth(); ++k) {
          const std::size_t channel = k / taps, tap = k % taps, column = tap % shape_.columns;
          std::size_t step = k, within = 0;
          if (words_ == GridWords::kChannels) {
            step = channel / 4 * taps + tap;
            within = channel % 4;
          } else if (words_ == GridWords::kTaps) {
            step = (channel * shape_.rows + tap / shape_.columns) * quads(shape_.columns) + column / 4;
            within = column % 4;
          }
          put(filter[k], kernel_->filters, within, out + (step * rows + r) * value_bytes_);
        }
      }
    }
}

PackedFilters::PackedFilters(const ConvolutionKernel& kernel, const FilterShape& shape, const float* values,
                             const float* bias)
    : kernel_(&kernel), shape_(shape), bias_(shape.filters) {
  require(kernel.kind == ConvolutionKind::kF32, "kernel: expected one for float32 filters");
  if (bias != nullptr) std::copy_n(bias, shape.filters, bias_.begin());
  pack(values);
}

PackedFilters::PackedFilters(const ConvolutionKernel& kernel, const FilterShape& shape, const std::int8_t* codes,
                             const float* scales, const float* bias)
    : kernel_(&kernel), shape_(shape), scales_(scales, scales + shape.filters), bias_(shape.filters) {
  require(kernel.kind == ConvolutionKind::kS8, "kernel: expected one for integer filters");
  require(shape.depth() <= kMostDepth, [&] {
    return "filters: integer sums of more than " + std::to_string(kMostDepth) + " products do not fit 32 bits, got " +
           std::to_string(shape.depth());
  });
  if (bias != nullptr) std::copy_n(bias, shape.filters, bias_.begin());
  for (std::size_t f = 0; f < shape.filters; ++f) {
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < shape.depth(); ++k) sum += codes[f * shape.depth() + k];
    sums_.push_back(sum);
  }
  const std::size_t together = groups_together(shape);
  shape_.groups /= together;
  shape_.group_channels *= together;
  pack(together == 1 ? codes : join_groups(shape, together, codes).data());
}

void PackedFilters::tile(std::size_t group, std::size_t tile, ConvolutionTask& task) const {
  const std::size_t first = group * shape_.group_filters() + first_filter(tile);
  task.filters = bytes_.data() + first * steps_ * value_bytes_;
  task.steps = steps_;
  task.rows = first_filter(tile + 1) - first_filter(tile);
  task.scales = scales_.empty() ? nullptr : scales_.data() + first;
  task.bias = bias_.data() + first;
}

}  // namespace paring
