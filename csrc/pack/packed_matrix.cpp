#include "pack/packed_matrix.h"

#include <algorithm>
#include <string>

#include "base/require.h"
#include "quantize/codes.h"
#include "threads/pool.h"

namespace paring {

void PackedMatrix::allocate(std::size_t n, std::size_t k, std::size_t group_size) {
  const PackLayout& layout = kernel_->layout;
  n_ = n;
  k_ = k;
  group_size_ = group_size == 0 ? std::max<std::size_t>(k, 1) : std::min(group_size, std::max<std::size_t>(k, 1));
  groups_ = k == 0 ? 1 : (k + group_size_ - 1) / group_size_;
  const std::size_t last = k - (groups_ - 1) * group_size_;
  if (layout.type != WeightType::kF32) {
    require(group_size_ <= kMaxGroup, [&] {
      return "in_features: integer sums of more than " + std::to_string(kMaxGroup) +
             " columns with one scale do not fit 32 bits, got " + std::to_string(group_size_) +
             "; quantize with granularity='group'";
    });
  }
  group_steps_ = (group_size_ + layout.kr - 1) / layout.kr;
  last_group_steps_ = (last + layout.kr - 1) / layout.kr;
  panels_ = (n + layout.nr - 1) / layout.nr;
  const std::size_t column_floats = std::size_t{4} * layout.nr;
  const std::size_t steps = (groups_ - 1) * group_steps_ + last_group_steps_;
  const std::size_t parameters = layout.type == WeightType::kF32 ? 0 : groups_ * column_floats;
  scales_offset_ = round_up(steps * layout.step_bytes(), kAlignment);
  zero_points_offset_ = scales_offset_ + parameters;
  bias_offset_ = zero_points_offset_ + parameters;
  panel_bytes_ = round_up(bias_offset_ + column_floats, kAlignment);
  bytes_ = AlignedBytes(panels_ * panel_bytes_);
}

void PackedMatrix::pack_bias(const float* bias) {
  if (bias == nullptr) return;
  const std::size_t nr = panel_columns();
  for (std::size_t row = 0; row < n_; ++row)
    reinterpret_cast<float*>(panel_start(row / nr) + bias_offset_)[row % nr] = bias[row];
}

PackedMatrix::PackedMatrix(const GemmKernel& kernel, MatrixView<const float> weight, const float* bias)
    : kernel_(&kernel) {
  require(kernel.layout.type == WeightType::kF32, "kernel: expected one for float32 weights");
  allocate(weight.rows, weight.cols, 0);
  pack_bias(bias);
  const std::size_t nr = panel_columns();
  parallel_ranges(panels_, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      auto* panel = reinterpret_cast<float*>(panel_start(p));
      const std::size_t columns = std::min(nr, n_ - p * nr);
      for (std::size_t c = 0; c < columns; ++c) {
        const float* row = weight.row(p * nr + c);
        for (std::size_t k = 0; k < k_; ++k) panel[k * nr + c] = row[k];
      }
    }
  });
}

PackedMatrix::PackedMatrix(const GemmKernel& kernel, const QuantizedView& weight, const float* bias)
    : kernel_(&kernel) {
  require(kernel.layout.type == type_for_bits(weight.bits), "kernel: expected one for codes of this width");
  allocate(weight.data.rows, weight.columns, weight.group_size);
  pack_bias(bias);
  const std::size_t nr = panel_columns();
  // Codes become unsigned in the kernel's width: a 3-bit code fits the 4-bit kernel as it is.
  const int offset = kernel.layout.type == WeightType::kU4 ? 8 : 128;
  parallel_ranges(panels_, 1, [&](std::size_t begin, std::size_t end) {
    std::vector<std::int8_t> codes(k_);
    for (std::size_t row = begin * nr; row < std::min(n_, end * nr); ++row) {
      unpack_row(weight.data.row(row), k_, weight.bits, codes.data());
      pack_code_row(row, codes.data(), offset);
      auto* scales = reinterpret_cast<float*>(panel_start(row / nr) + scales_offset_);
      auto* zero_points = reinterpret_cast<std::int32_t*>(panel_start(row / nr) + zero_points_offset_);
      for (std::size_t g = 0; g < groups_ && k_ > 0; ++g) {
        const std::size_t source = weight.per_tensor ? 0 : row * groups_ + g;
        scales[g * nr + row % nr] = weight.scales[source];
        zero_points[g * nr + row % nr] = offset + (weight.zero_points ? weight.zero_points[source] : 0);
      }
    }
  });
}

std::size_t PackedMatrix::code_offset(std::size_t p, std::size_t c, bool& high) const {
  const PackLayout& layout = kernel_->layout;
  const std::size_t step = p / layout.kr, within = p % layout.kr;
  high = within >= 4;
  return step * layout.step_bytes() + c * 4 + within % 4;
}

void PackedMatrix::pack_code_row(std::size_t row, const std::int8_t* codes, int offset) {
  const PackLayout& layout = kernel_->layout;
  const bool nibbles = layout.type == WeightType::kU4;
  const std::size_t kr = layout.kr, step_bytes = layout.step_bytes();
  auto* column = reinterpret_cast<std::uint8_t*>(panel_start(row / layout.nr)) + row % layout.nr * 4;
  for (std::size_t g = 0; g < groups_; ++g) {
    const std::int8_t* group = codes + g * group_size_;
    const std::size_t length = std::min(group_size_, k_ - g * group_size_);
    std::uint8_t* step = column + g * group_steps_ * step_bytes;
    for (std::size_t j = 0; j < length; j += kr, step += step_bytes) {
      std::uint8_t unsigned_codes[8] = {};
      for (std::size_t i = 0; i < std::min(kr, length - j); ++i)
        unsigned_codes[i] = static_cast<std::uint8_t>(group[j + i] + offset);
      for (std::size_t i = 0; i < 4; ++i)
        step[i] =
            static_cast<std::uint8_t>(nibbles ? unsigned_codes[i] | unsigned_codes[i + 4] << 4 : unsigned_codes[i]);
    }
  }
}

const float* PackedMatrix::panel(std::size_t index, TileTask& task) const {
  const std::byte* start = panel_start(index);
  task.weights = start;
  task.groups = groups_;
  task.group_steps = group_steps_;
  task.last_group_steps = last_group_steps_;
  task.scales = reinterpret_cast<const float*>(start + scales_offset_);
  task.zero_points = reinterpret_cast<const std::int32_t*>(start + zero_points_offset_);
  return reinterpret_cast<const float*>(start + bias_offset_);
}

ColumnPlace PackedMatrix::place_of_column(std::size_t column) const {
  bool high = false;
  const std::size_t offset = code_offset(padded_position(column), 0, high);
  return {offset / 4 * 4, column / group_size_, static_cast<unsigned>(offset % 4 * 8 + (high ? 4 : 0))};
}

void PackedMatrix::column(const QuantizeLoops& loops, const TileTask& task, const ColumnPlace& place,
                          float* values) const {
  const std::size_t nr = panel_columns();
  const auto* words =
      reinterpret_cast<const std::uint32_t*>(static_cast<const std::byte*>(task.weights) + place.offset);
  const std::uint32_t mask = kernel_->layout.type == WeightType::kU4 ? 15 : 255;
  loops.dequantize_words(words, nr, place.shift, mask, task.zero_points + place.group * nr,
                         task.scales + place.group * nr, values);
}

std::vector<std::uint8_t> PackedMatrix::unpack_codes() const {
  require(kernel_->layout.type != WeightType::kF32, "unpack_codes: this matrix holds floats");
  std::vector<std::uint8_t> codes(n_ * k_);
  const std::size_t nr = panel_columns();
  for (std::size_t row = 0; row < n_; ++row) {
    const auto* panel = reinterpret_cast<const std::uint8_t*>(panel_start(row / nr));
    for (std::size_t j = 0; j < k_; ++j) {
      bool high = false;
      const std::uint8_t byte = panel[code_offset(padded_position(j), row % nr, high)];
      const int nibble = high ? byte >> 4 : byte & 15;
      codes[row * k_ + j] = static_cast<std::uint8_t>(kernel_->layout.type == WeightType::kU4 ? nibble : byte);
    }
  }
  return codes;
}

std::vector<float> PackedMatrix::unpack_floats() const {
  require(kernel_->layout.type == WeightType::kF32, "unpack_floats: this matrix holds codes");
  std::vector<float> values(n_ * k_);
  const std::size_t nr = panel_columns();
  for (std::size_t row = 0; row < n_; ++row) {
    const auto* panel = reinterpret_cast<const float*>(panel_start(row / nr));
    for (std::size_t k = 0; k < k_; ++k) values[row * k_ + k] = panel[k * nr + row % nr];
  }
  return values;
}

}  // namespace paring
