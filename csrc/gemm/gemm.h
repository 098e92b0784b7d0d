// y = activation(x * transpose(w) + bias + residual) for a packed w.
//
// Rows of x go through in blocks small enough to stay in cache once packed; within a block, threads share the pairs
// (panel of w, tile of x). Nothing is split along k, and the bytes of y depend neither on the thread count nor on
// which rows share a call.
#pragma once

#include <cstdint>
#include <optional>

#include "base/matrix_view.h"
#include "nn/epilogue.h"
#include "pack/packed_matrix.h"
#include "quantize/activation.h"

namespace paring {

// x (m, k): floats, or for integer kernels codes of `scale`. Views that do not count have null data.
struct LinearInput {
  MatrixView<const float> values;
  MatrixView<const std::int8_t> codes;
  std::optional<StaticScale> scale;  // always there with codes; else how to round values, null for each row's own way

  std::size_t rows() const { return codes.data ? codes.rows : values.rows; }
  // Rows [begin, begin + count).
  LinearInput part(std::size_t begin, std::size_t count) const;
};

// y (m, n): floats, or from integer kernels codes of `scale` (NaN becomes -128).
struct LinearOutput {
  Activation activation = Activation::kNone;
  MatrixView<const float> residual;  // (m, n), or null data
  MatrixView<float> values;
  MatrixView<std::int8_t> codes;
  StaticScale scale{1.0f, 0};

  LinearOutput part(std::size_t begin, std::size_t count) const;
};

// What floats of a tile still need before they are an output, at row `row` and column `column` of it: residual and
// activation, in place; then the codes, if those are the output.
void finish_tile(const EpilogueKernel& epilogue, const LinearOutput& y, float* tile, std::size_t stride,
                 std::size_t row, std::size_t column, std::size_t rows, std::size_t columns);

// The output must overlap neither the input nor the residual.
void gemm(const LinearInput& x, const PackedMatrix& w, const LinearOutput& y);

}  // namespace paring
