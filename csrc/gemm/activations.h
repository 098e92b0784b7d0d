// The left side of a multiply, packed for one kernel: rows of x in equal tiles, quantized on the way where the kernel
// wants integers (quantize/activation.h).
#pragma once

#include <cstdint>

#include "gemm/gemm.h"
#include "pack/packed_matrix.h"
#include "quantize/loops.h"

namespace paring {

class PackedActivations {
 public:
  // Packs these rows for this weight, on all threads. The memory is kept for the next call.
  void pack(const PackedMatrix& weight, const QuantizeLoops& loops, const LinearInput& x);

  std::size_t tiles() const { return tiles_; }
  std::size_t first_row(std::size_t tile) const;  // of tile `tile`; first_row(tiles()) is the row count

  // Fills in what a kernel needs of a tile.
  void tile(std::size_t index, IntegerTask& task) const;
  void tile(std::size_t index, FloatTask& task) const;

  static std::size_t bytes_per_row(const PackedMatrix& weight);

 private:
  void pack_integers(const PackedMatrix& weight, const QuantizeLoops& loops, const LinearInput& x, std::size_t tile);
  void pack_floats(const PackedMatrix& weight, MatrixView<const float> x, std::size_t tile);

  std::size_t rows_ = 0, tiles_ = 0, row_bytes_ = 0, groups_ = 0;
  AlignedBytes packed_, row_starts_, row_scales_, exact_values_, exact_places_;
};

}  // namespace paring
