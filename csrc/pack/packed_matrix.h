// A weight matrix (out_features n, in_features k) laid out for one kernel of gemm/kernel.h, with everything its output
// needs in the same stream: per panel of nr columns [weights][scales][zero points][bias]. Immutable once built, so any
// number of threads may read one. Lives in memory only: files hold the canonical forms.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_bytes.h"
#include "base/matrix_view.h"
#include "gemm/kernel.h"
#include "quantize/loops.h"
#include "quantize/quantized_view.h"

namespace paring {

// Where the codes of one column of the weight lie in every panel: bits `shift` to `shift + width - 1` of nr 32-bit
// words.
struct ColumnPlace {
  std::size_t offset;  // bytes from the start of a panel
  std::size_t group;
  unsigned shift;
};

class PackedMatrix {
 public:
  // `bias` has n elements or is null. Throw std::invalid_argument if the kernel is for another weight type, or k is
  // beyond what its sums can hold.
  PackedMatrix(const GemmKernel& kernel, MatrixView<const float> weight, const float* bias);
  PackedMatrix(const GemmKernel& kernel, const QuantizedView& weight, const float* bias);

  // The weight type whose kernels run codes of so many bits.
  static WeightType type_for_bits(int bits) { return bits <= 4 ? WeightType::kU4 : WeightType::kU8; }

  const GemmKernel& kernel() const { return *kernel_; }
  std::size_t n() const { return n_; }
  std::size_t k() const { return k_; }
  std::size_t panels() const { return panels_; }
  std::size_t panel_columns() const { return kernel_->layout.nr; }
  std::size_t nbytes() const { return bytes_.size(); }

  std::size_t groups() const { return groups_; }
  std::size_t group_size() const { return group_size_; }  // unpadded columns of a group, at least 1
  std::size_t group_steps() const { return group_steps_; }
  std::size_t last_group_steps() const { return last_group_steps_; }
  // Columns of x as a kernel wants them: every group padded to kr.
  std::size_t padded_k() const { return ((groups_ - 1) * group_steps_ + last_group_steps_) * kernel_->layout.kr; }

  // Fills the weight side of a task for one panel; returns the panel's bias (nr floats).
  const float* panel(std::size_t index, TileTask& task) const;

  ColumnPlace place_of_column(std::size_t column) const;

  // Reads one column of a panel as floats, nr of them. `task` is that of the panel. Integer kinds only.
  void column(const QuantizeLoops& loops, const TileTask& task, const ColumnPlace& place, float* values) const;

  // What was packed, read back from the panels (n, k): unsigned codes, or the floats themselves.
  std::vector<std::uint8_t> unpack_codes() const;
  std::vector<float> unpack_floats() const;

 private:
  void allocate(std::size_t n, std::size_t k, std::size_t group_size);
  void pack_bias(const float* bias);
  void pack_code_row(std::size_t row, const std::int8_t* codes, int offset);
  std::byte* panel_start(std::size_t index) { return bytes_.data() + index * panel_bytes_; }
  const std::byte* panel_start(std::size_t index) const { return bytes_.data() + index * panel_bytes_; }
  // Byte offset in a panel, and whether the high nibble is meant, of padded k position `p` in column `c`.
  std::size_t code_offset(std::size_t p, std::size_t c, bool& high) const;
  // Padded position of column j.
  std::size_t padded_position(std::size_t j) const {
    return j / group_size_ * group_steps_ * kernel_->layout.kr + j % group_size_;
  }

  const GemmKernel* kernel_;
  std::size_t n_ = 0, k_ = 0, panels_ = 0;
  std::size_t groups_ = 1, group_size_ = 0, group_steps_ = 0, last_group_steps_ = 0;
  std::size_t scales_offset_ = 0, zero_points_offset_ = 0, bias_offset_ = 0, panel_bytes_ = 0;
  AlignedBytes bytes_;
};

}  // namespace paring
