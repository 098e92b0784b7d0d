// y = activation(x * transpose(w) + bias) for a packed sparse w; float32 in and out.
//
// Rows of x go through in blocks of lanes small enough to stay in cache; threads share the panels of w. Nothing is
// split along k, and the bytes of y depend neither on the thread count nor on which rows share a call.
#pragma once

#include "base/matrix_view.h"
#include "nn/epilogue.h"
#include "sparse/packed_csr.h"

namespace paring {

// x (m, k), y (m, n); y must not overlap x.
void spmm(MatrixView<const float> x, const PackedCsr& w, Activation activation, MatrixView<float> y);

}  // namespace paring
