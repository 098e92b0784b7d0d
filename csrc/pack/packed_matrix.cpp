#include "pack/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/require.h"
#include "pack/turn.h"
#include "quantize/codes.h"
#include "threads/pool.h"

namespace paring {
namespace {

constexpr std::size_t kWord = 4;

// What is added to a signed code to make it unsigned in a kernel's width, where it wants it so: a 3-bit code fits the
// 4-bit kernel as it is.
constexpr int offset_of(const PackLayout& layout) {
  if (layout.signed_bytes) return 0;
  return layout.type == WeightType::kU4 ? 8 : 128;
}

// Nibbles 0 ... 7 of every word in the order 0, 4, 1, 5, 2, 6, 3, 7: what files hold becomes what kernels take.
void interleave_nibbles(std::uint32_t* words, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t word = words[i];
    word = (word & 0xff0000ff) | (word & 0x00ff0000) >> 8 | (word & 0x0000ff00) << 8;
    words[i] = (word & 0xf00ff00f) | (word & 0x0f000f00) >> 4 | (word & 0x00f000f0) << 4;
  }
}

// Whether all zero points of a weight are the same.
bool one_for_all(const QuantizedView& weight, std::size_t count) {
  if (weight.zero_points == nullptr) return true;
  const auto* end = weight.zero_points + count;
  return std::all_of(weight.zero_points, end, [&](std::int8_t point) { return point == weight.zero_points[0]; });
}

void turn_signs(std::uint32_t* words, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) words[i] ^= 0x80808080;
}

}  // namespace

void PackedMatrix::allocate(std::size_t n, std::size_t k, std::size_t group_size) {
  const PackLayout& pack = kernel_->layout;
  n_ = n;
  k_ = k;
  group_size_ = group_size == 0 ? std::max<std::size_t>(k, 1) : std::min(group_size, std::max<std::size_t>(k, 1));
  layout_.groups = k == 0 ? 1 : (k + group_size_ - 1) / group_size_;
  const std::size_t last = k - (layout_.groups - 1) * group_size_;
  if (kernel_->compute() == Compute::kIntegers) {
    require(group_size_ <= kMaxGroup, [&] {
      return "in_features: integer sums of more than " + std::to_string(kMaxGroup) +
             " columns with one scale do not fit 32 bits, got " + std::to_string(group_size_) +
             "; quantize with granularity='group'";
    });
  }
  layout_.group_columns = group_size_;
  layout_.last_group_columns = last;
  layout_.group_steps = (group_size_ + pack.kr - 1) / pack.kr;
  layout_.last_group_steps = (last + pack.kr - 1) / pack.kr;
  panels_ = (n + pack.nr - 1) / pack.nr;
  const std::size_t column_words = kWord * pack.nr;
  layout_.parameter_bytes = !pack.is_code() ? 0 : layout_.one_zero_point ? column_words : 2 * column_words;
  layout_.bias_offset = round_up(codes_end(layout_.groups - 1) + layout_.parameter_bytes, kAlignment);
  layout_.bytes = round_up(layout_.bias_offset + column_words, kAlignment);
  bytes_ = AlignedBytes(panels_ * layout_.bytes, AlignedBytes::Fill::kNone);
}

void PackedMatrix::pack_bias(const float* bias) {
  if (bias == nullptr) return;
  const std::size_t nr = panel_columns();
  for (std::size_t row = 0; row < n_; ++row)
    reinterpret_cast<float*>(panel(row / nr) + layout_.bias_offset)[row % nr] = bias[row];
}

PackedMatrix::PackedMatrix(const GemmKernel& kernel, MatrixView<const float> weight, const float* bias)
    : kernel_(&kernel) {
  require(kernel.layout.type == WeightType::kF32, "kernel: expected one for float32 weights");
  allocate(weight.rows, weight.cols, 0);
  const std::size_t nr = panel_columns();
  parallel_ranges(panels_, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t columns = std::min(nr, n_ - p * nr);
      const std::size_t written = columns == nr ? k_ * nr * sizeof(float) : 0;
      std::memset(panel(p) + written, 0, layout_.bytes - written);
      turn_words(weight.row(p * nr), columns, k_, weight.row_stride * sizeof(float), panel(p), nr * sizeof(float));
    }
  });
  pack_bias(bias);
}

PackedMatrix::PackedMatrix(const GemmKernel& kernel, MatrixView<const std::uint16_t> weight, const float* bias)
    : kernel_(&kernel) {
  require(kernel.layout.is_half(), "kernel: expected one for 16-bit floats");
  allocate(weight.rows, weight.cols, 0);
  const std::size_t nr = panel_columns();
  constexpr std::size_t kColumnsAtATime = 32;  // what is written meanwhile stays in a first-level cache
  parallel_ranges(panels_, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t columns = std::min(nr, n_ - p * nr);
      std::memset(panel(p), 0, layout_.bytes);
      auto* values = reinterpret_cast<std::uint16_t*>(panel(p));
      for (std::size_t from = 0; from < k_; from += kColumnsAtATime)
        for (std::size_t c = 0; c < columns; ++c)
          for (std::size_t k = from; k < std::min(from + kColumnsAtATime, k_); ++k)
            values[k * nr + c] = weight.row(p * nr + c)[k];
    }
  });
  pack_bias(bias);
}

PackedMatrix::PackedMatrix(const GemmKernel& kernel, const QuantizedView& weight, const float* bias)
    : kernel_(&kernel) {
  require(kernel.layout.type == type_for_bits(weight.bits), "kernel: expected one for codes of this width");
  const std::size_t scales = weight.per_tensor ? 1 : weight.data.rows * group_count(weight.columns, weight.group_size);
  layout_.one_zero_point = scales == 0 || one_for_all(weight, scales);
  layout_.zero_point = offset_of(kernel.layout);
  if (layout_.one_zero_point && weight.zero_points != nullptr && scales > 0)
    layout_.zero_point += weight.zero_points[0];
  allocate(weight.data.rows, weight.columns, weight.group_size);
  parallel_ranges(panels_, 1, [&](std::size_t begin, std::size_t end) {
    std::vector<std::int8_t> codes;
    for (std::size_t index = begin; index < end; ++index) pack_code_panel(weight, index, codes);
  });
  pack_parameters(weight);
  pack_bias(bias);
}

void PackedMatrix::pack_code_panel(const QuantizedView& weight, std::size_t index, std::vector<std::int8_t>& codes) {
  const PackLayout& pack = kernel_->layout;
  const std::size_t first = index * pack.nr, rows = std::min<std::size_t>(pack.nr, n_ - first);
  const bool nibbles = pack.type == WeightType::kU4;
  std::memset(panel(index), 0, layout_.bytes);
  // Where a word of a row is a step of the panel, words only change places.
  const bool by_words = weight.bits == (nibbles ? 4 : 8) && (layout_.groups == 1 || group_size_ % pack.kr == 0);
  const std::size_t words = by_words ? k_ / pack.kr : 0;
  for (std::size_t g = 0, word = 0; word < words; ++g, word += layout_.group_steps) {
    const std::size_t count = std::min(layout_.group_steps, words - word);
    std::byte* group = panel(index) + group_start(g);
    turn_words(weight.data.row(first) + word * kWord, rows, count, weight.data.row_stride, group, pack.nr * kWord);
    if (nibbles) {
      interleave_nibbles(reinterpret_cast<std::uint32_t*>(group), count * pack.nr);
    } else if (!pack.signed_bytes) {
      turn_signs(reinterpret_cast<std::uint32_t*>(group), count * pack.nr);
    }
  }
  if (words * pack.kr == k_) return;
  codes.resize(k_);
  for (std::size_t row = first; row < first + rows; ++row) {
    unpack_row(weight.data.row(row), k_, weight.bits, codes.data());
    pack_code_row(row, codes.data(), words * pack.kr);
  }
}

void PackedMatrix::pack_parameters(const QuantizedView& weight) {
  const std::size_t nr = panel_columns(), groups = layout_.groups;
  const int offset = offset_of(kernel_->layout);
  for (std::size_t row = 0; row < n_ && k_ > 0; ++row)
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t source = weight.per_tensor ? 0 : row * groups + g;
      auto* scales = reinterpret_cast<float*>(panel(row / nr) + codes_end(g));
      scales[row % nr] = weight.scales[source];
      if (!layout_.one_zero_point)
        reinterpret_cast<std::int32_t*>(scales + nr)[row % nr] = offset + weight.zero_points[source];
    }
}

std::size_t PackedMatrix::code_offset(std::size_t j, std::size_t c, bool& high) const {
  const PackLayout& pack = kernel_->layout;
  const std::size_t group = j / group_size_, step = j % group_size_ / pack.kr, within = j % group_size_ % pack.kr;
  high = within >= 4;
  return group_start(group) + step * pack.step_bytes() + c * kWord + within % 4;
}

// Columns from `from` on, which is a multiple of kr.
void PackedMatrix::pack_code_row(std::size_t row, const std::int8_t* codes, std::size_t from) {
  const PackLayout& pack = kernel_->layout;
  const int offset = offset_of(pack);
  std::byte* start = panel(row / pack.nr);
  for (std::size_t j = from; j < k_; ++j) {
    bool high = false;
    std::byte& byte = start[code_offset(j, row % pack.nr, high)];
    byte |= static_cast<std::byte>((codes[j] + offset) << (high ? 4 : 0));
  }
}

ColumnPlace PackedMatrix::place_of_column(std::size_t column) const {
  bool high = false;
  const std::size_t offset = code_offset(column, 0, high);
  return {offset / kWord * kWord, codes_end(column / group_size_),
          static_cast<unsigned>(offset % kWord * 8 + (high ? 4 : 0))};
}

std::vector<std::uint8_t> PackedMatrix::unpack_codes() const {
  require(kernel_->layout.is_code(), "unpack_codes: this matrix holds floats");
  std::vector<std::uint8_t> codes(n_ * k_);
  const std::size_t nr = panel_columns();
  const int raise = kernel_->layout.signed_bytes ? 128 : 0;
  for (std::size_t row = 0; row < n_; ++row) {
    const auto* packed = reinterpret_cast<const std::uint8_t*>(panel(row / nr));
    for (std::size_t j = 0; j < k_; ++j) {
      bool high = false;
      const std::uint8_t byte = packed[code_offset(j, row % nr, high)];
      const int nibble = high ? byte >> 4 : byte & 15;
      codes[row * k_ + j] = static_cast<std::uint8_t>(kernel_->layout.type == WeightType::kU4 ? nibble : byte + raise);
    }
  }
  return codes;
}

template <typename T>
std::vector<T> PackedMatrix::unpack_values() const {
  std::vector<T> values(n_ * k_);
  const std::size_t nr = panel_columns();
  for (std::size_t row = 0; row < n_; ++row) {
    const auto* packed = reinterpret_cast<const T*>(panel(row / nr));
    for (std::size_t k = 0; k < k_; ++k) values[row * k_ + k] = packed[k * nr + row % nr];
  }
  return values;
}

std::vector<float> PackedMatrix::unpack_floats() const {
  require(kernel_->layout.type == WeightType::kF32, "unpack_floats: this matrix holds no float32");
  return unpack_values<float>();
}

std::vector<std::uint16_t> PackedMatrix::unpack_halves() const {
  require(kernel_->layout.is_half(), "unpack_halves: this matrix holds no 16-bit floats");
  return unpack_values<std::uint16_t>();
}

}  // namespace paring
