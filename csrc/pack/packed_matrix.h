// A weight matrix (out_features n, in_features k) laid out for one kernel of gemm/kernel.h, with everything its output
// needs in the same stream. Immutable once built, so any
// number of threads may read one. Lives in memory only: files hold the canonical forms.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_bytes.h"
#include "base/matrix_view.h"
#include "gemm/kernel.h"
#include "quantize/quantized_view.h"

namespace paring {

class PackedMatrix {
 public:
  // `bias` has n elements or is null. Throw std::invalid_argument if the kernel is for another weight type, or k is
  // beyond what its sums can hold.
  PackedMatrix(const GemmKernel& kernel, MatrixView<const float> weight, const float* bias);
  // The bits of float16 or bfloat16 values, whichever the kernel takes.
  PackedMatrix(const GemmKernel& kernel, MatrixView<const std::uint16_t> weight, const float* bias);
  PackedMatrix(const GemmKernel& kernel, const QuantizedView& weight, const float* bias);

  // The weight type whose kernels run codes of so many bits.
  static WeightType type_for_bits(int bits) { return bits <= 4 ? WeightType::kU4 : WeightType::kU8; }

  const GemmKernel& kernel() const { return *kernel_; }
  std::size_t n() const { return n_; }
  std::size_t k() const { return k_; }
  std::size_t panels() const { return panels_; }
  std::size_t panel_columns() const { return kernel_->layout.nr; }
  std::size_t nbytes() const { return bytes_.size(); }

  const PanelLayout& layout() const { return layout_; }
  std::size_t groups() const { return layout_.groups; }
  std::size_t group_size() const { return group_size_; }  // unpadded columns of a group, at least 1
  // Columns of x of a group but the last, as a kernel wants them, and of all: every group padded to kr.
  std::size_t padded_group() const { return layout_.group_steps * kernel_->layout.kr; }
  std::size_t padded_k() const {
    return (layout_.groups - 1) * padded_group() + layout_.last_group_steps * kernel_->layout.kr;
  }

  const std::byte* panel(std::size_t index) const { return bytes_.data() + index * layout_.bytes; }
  const float* bias(std::size_t index) const {
    return reinterpret_cast<const float*>(panel(index) + layout_.bias_offset);
  }

  ColumnPlace place_of_column(std::size_t column) const;

  // What was packed, read back from the panels (n, k): unsigned codes, or the floats themselves
  // (16-bit ones as their bits).
  std::vector<std::uint8_t> unpack_codes() const;
  std::vector<float> unpack_floats() const;
  std::vector<std::uint16_t> unpack_halves() const;

 private:
  void allocate(std::size_t n, std::size_t k, std::size_t group_size);
  template <typename T>
  std::vector<T> unpack_values() const;
  void pack_bias(const float* bias);
  void pack_parameters(const QuantizedView& weight);
  void pack_code_panel(const QuantizedView& weight, std::size_t index, std::vector<std::int8_t>& codes);
  void pack_code_row(std::size_t row, const std::int8_t* codes, std::size_t from);
  std::byte* panel(std::size_t index) { return bytes_.data() + index * layout_.bytes; }
  // Where group g starts in a panel, and where its codes end.
  std::size_t group_start(std::size_t g) const {
    return g * (layout_.group_steps * kernel_->layout.step_bytes() + layout_.parameter_bytes);
  }
  std::size_t codes_end(std::size_t g) const {
    const std::size_t steps = g + 1 < layout_.groups ? layout_.group_steps : layout_.last_group_steps;
    return group_start(g) + steps * kernel_->layout.step_bytes();
  }
  // Byte offset in a panel, and whether the high nibble is meant, of column j of the weight in column `c` of the panel.
  std::size_t code_offset(std::size_t j, std::size_t c, bool& high) const;

  const GemmKernel* kernel_;
  std::size_t n_ = 0, k_ = 0, panels_ = 0, group_size_ = 0;
  PanelLayout layout_;
  AlignedBytes bytes_;
};

}  // namespace paring
