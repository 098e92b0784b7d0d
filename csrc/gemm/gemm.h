// y = activation(x * transpose(w) + bias) for a packed w; float32 in and out.
//
// Rows of x go through in blocks small enough to stay in cache once packed; within a block, threads share the pairs
// (panel of w, tile of x). Nothing is split along k, and the bytes of y depend neither on the thread count nor on
// which rows share a call.
#pragma once

#include "base/matrix_view.h"
#include "nn/epilogue.h"
#include "pack/packed_matrix.h"

namespace paring {

// x (m, k), y (m, n); y must not overlap x.
void gemm(MatrixView<const float> x, const PackedMatrix& w, Activation activation, MatrixView<float> y);

}  // namespace paring
