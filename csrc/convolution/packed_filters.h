// Filters laid out for one kernel of convolution/kernel.h. Immutable once built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_bytes.h"
#include "convolution/grid.h"
#include "convolution/kernel.h"

namespace paring {

struct FilterShape {
  std::size_t filters, groups, group_channels, rows, columns;

  std::size_t group_filters() const { return filters / groups; }
  std::size_t taps() const { return rows * columns; }
  std::size_t depth() const { return group_channels * taps(); }
};

class PackedFilters {
 public:
  // Values are (filters, group_channels, rows, columns); `bias` has one a filter or is null. Throw
  // std::invalid_argument if the kernel is of another kind, or a filter has more than kMostDepth codes.
  PackedFilters(const ConvolutionKernel& kernel, const FilterShape& shape, const float* values, const float* bias);
  // Codes have the zero point 0 and stand for code * scale; a scale a filter.
  PackedFilters(const ConvolutionKernel& kernel, const FilterShape& shape, const std::int8_t* codes,
                const float* scales, const float* bias);

  const ConvolutionKernel& kernel() const { return *kernel_; }
  // Of what was packed: in fewer groups than given where that is faster.
  const FilterShape& shape() const { return shape_; }
  GridWords words() const { return words_; }
  std::size_t nbytes() const { return bytes_.size() + 4 * (scales_.size() + bias_.size() + sums_.size()); }

  // The filters of a group go in equal tiles of at most kernel().mr.
  std::size_t tiles() const { return (shape_.group_filters() + kernel_->mr - 1) / kernel_->mr; }
  std::size_t first_filter(std::size_t tile) const;  // within a group; first_filter(tiles()) is their number
  // Fills in what a kernel needs of a tile, but starts.
  void tile(std::size_t group, std::size_t tile, ConvolutionTask& task) const;
  std::size_t tile_bytes() const { return steps_ * kernel_->mr * value_bytes_; }

  // Of each filter, the sum of its codes.
  const std::vector<std::int32_t>& sums() const { return sums_; }

 private:
  template <typename Value>
  void pack(const Value* values);

  const ConvolutionKernel* kernel_;
  FilterShape shape_;
  GridWords words_;
  std::size_t steps_, value_bytes_;  // bytes of a step of a filter
  AlignedBytes bytes_;
  std::vector<float> scales_, bias_;
  std::vector<std::int32_t> sums_;
};

}  // namespace paring
