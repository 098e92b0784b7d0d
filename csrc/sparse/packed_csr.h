// A sparse weight matrix (out_features n, in_features k) laid out for one kernel of sparse/kernel.h, with its scales
// and bias. With integer values also the codes by column, for the exact value of each row of x
// (quantize/activation.h). Immutable once built, so any number of threads may read one. Lives in memory only: files
// hold plain CSR.
#pragma once

#include <cstdint>

#include "base/aligned_bytes.h"
#include "sparse/csr.h"
#include "sparse/kernel.h"

namespace paring {

class PackedCsr {
 public:
  // `scales` (float32 kernels: null; integer kernels: n of them) and `bias` (n, or null for zeros). Checks the CSR and
  // throws std::invalid_argument if it is none, if the kernel is for another value type, or if k is beyond what its
  // sums or column numbers can hold.
  template <typename Value, typename Index>
  PackedCsr(const SparseKernel& kernel, const CsrView<Value, Index>& weight, const float* scales, const float* bias);

  const SparseKernel& kernel() const { return *kernel_; }
  std::size_t n() const { return n_; }
  std::size_t k() const { return k_; }
  std::size_t panels() const { return (n_ + kSparsePanelRows - 1) / kSparsePanelRows; }
  // Stored entries, padding included.
  std::size_t entries() const { return starts()[n_]; }
  std::size_t nbytes() const;

  // Walks down one column of w, integer values only.
  class ColumnWalk {
   public:
    // Begins at the first stored entry of `column` in row `first_row` or below.
    ColumnWalk(const PackedCsr& weight, std::size_t column, std::size_t first_row);
    // Fills values[0 ... rows - 1] with the next rows of the column as floats (code * scale), which are
    // first_row ... first_row + rows - 1; calls go from panel to panel in ascending order.
    void next(std::size_t first_row, std::size_t rows, float* values);

   private:
    const PackedCsr* weight_;
    std::uint64_t at_, end_;
  };

  // Fills the weight side of a task for one panel; returns the panel's bias (kSparsePanelRows floats).
  const float* panel(std::size_t index, SparseTask& task) const;

 private:
  const std::uint64_t* starts() const { return starts_.as<std::uint64_t>(); }
  template <typename Packed, typename Column, typename Value, typename Index>
  void fill(const CsrView<Value, Index>& weight);
  template <typename Index>
  void fill_columns(const CsrView<std::int8_t, Index>& weight);

  const SparseKernel* kernel_;
  std::size_t n_ = 0, k_ = 0;
  bool wide_columns_ = false;
  AlignedBytes starts_, values_, columns_, scales_, corrections_, bias_;
  AlignedBytes column_starts_, column_rows_, column_codes_;  // by column: uint64 (k + 1), uint32 (nnz), int8 (nnz)
};

}  // namespace paring
