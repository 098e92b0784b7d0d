// The right side of a sparse multiply: rows of x as blocks of lanes (sparse/kernel.h), quantized on the way where the
// kernel wants integers, by the rule of quantize/activation.h.
#pragma once

#include "base/aligned_bytes.h"
#include "base/matrix_view.h"
#include "quantize/loops.h"
#include "sparse/packed_csr.h"

namespace paring {

class LaneActivations {
 public:
  LaneActivations(const PackedCsr& weight, const QuantizeLoops& loops) : weight_(weight), loops_(loops) {}

  // Packs these rows, on all threads. The memory is kept for the next call. x must outlive the use of the blocks: a
  // single row of floats is used where it lies.
  void pack(MatrixView<const float> x);

  std::size_t lanes() const { return lanes_; }
  std::size_t blocks() const { return (rows_ + lanes_ - 1) / lanes_; }
  // Rows of x in a block; the lanes beyond them hold zeros.
  std::size_t block_rows(std::size_t block) const;
  const void* block(std::size_t index) const { return data_ + index * lanes_ * element_bytes_ * weight_.k(); }
  // Scales of a block's rows, or null for float kernels.
  const float* row_scales(std::size_t block) const;

  // The exact values of a block's rows and their columns, or null for float kernels (and if k is 0).
  const float* exact_values(std::size_t block) const;
  const std::uint32_t* exact_columns(std::size_t block) const;

  // Rows of x to pack at once: whole blocks that stay in the last-level cache.
  static std::size_t rows_at_once(const PackedCsr& weight);

 private:
  bool exact() const { return weight_.kernel().value == SparseValue::kS8 && weight_.k() > 0; }
  template <typename Element>
  void pack_codes(MatrixView<const float> x);
  template <typename Source, typename Element>
  void fill_blocks(MatrixView<const Source> rows);

  const PackedCsr& weight_;
  const QuantizeLoops& loops_;
  std::size_t rows_ = 0, lanes_ = 1, element_bytes_ = 4;
  const std::byte* data_ = nullptr;
  AlignedBytes packed_, codes_, row_scales_, exact_values_, exact_columns_;
};

}  // namespace paring
