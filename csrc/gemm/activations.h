// The left side of a multiply, packed for one kernel: rows of x in equal tiles, quantized on the way where the kernel
// wants integers. Dynamic per-row rule: scale = max|x| / 127, code = round_half_even(x / scale) in -127..127.
// A row of zeros (or whose scale would be denormal) has scale 1 and codes 0; a row with NaN or infinity has scale NaN
// and codes 0, so that its whole output is NaN.
#pragma once

#include <cstdint>

#include "base/matrix_view.h"
#include "pack/packed_matrix.h"
#include "quantize/loops.h"

namespace paring {

// Quantizes one row of x; returns its scale. Shared by dense and sparse kernels, which must agree.
float quantize_activation_row(const QuantizeLoops& loops, const float* x, std::size_t n, std::int8_t* codes);

class PackedActivations {
 public:
  PackedActivations(const PackedMatrix& weight, const QuantizeLoops& loops) : weight_(weight), loops_(loops) {}

  // Packs these rows, on all threads. The memory is kept for the next call.
  void pack(MatrixView<const float> x);

  std::size_t tiles() const { return tiles_; }
  std::size_t first_row(std::size_t tile) const;  // of tile `tile`; first_row(tiles()) is the row count
  void tile(std::size_t index, TileTask& task) const;
  // Scales of a tile's rows, or null for float kernels.
  const float* row_scales(std::size_t tile) const;

  static std::size_t bytes_per_row(const PackedMatrix& weight);

 private:
  void pack_integers(MatrixView<const float> x, std::size_t tile);
  void pack_floats(MatrixView<const float> x, std::size_t tile);

  const PackedMatrix& weight_;
  const QuantizeLoops& loops_;
  std::size_t rows_ = 0, tiles_ = 0;
  AlignedBytes packed_, row_sums_, row_scales_;
};

}  // namespace paring
