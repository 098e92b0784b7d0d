// The left side of a multiply, packed for one kernel: rows of x in equal tiles, quantized on the way where the kernel
// wants integers (quantize/activation.h).
#pragma once

#include <cstdint>

#include "base/matrix_view.h"
#include "pack/packed_matrix.h"
#include "quantize/loops.h"

namespace paring {

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

  // The exact values of a tile's rows and the places of their columns, or null for float kernels (and if k is 0).
  const float* exact_values(std::size_t tile) const;
  const ColumnPlace* exact_places(std::size_t tile) const;

  static std::size_t bytes_per_row(const PackedMatrix& weight);

 private:
  bool exact() const { return weight_.kernel().activations != ActivationLayout::kFloats && weight_.k() > 0; }
  void pack_integers(MatrixView<const float> x, std::size_t tile);
  void pack_floats(MatrixView<const float> x, std::size_t tile);

  const PackedMatrix& weight_;
  const QuantizeLoops& loops_;
  std::size_t rows_ = 0, tiles_ = 0;
  AlignedBytes packed_, row_sums_, row_scales_, exact_values_, exact_places_;
};

}  // namespace paring
