// One side of a float32 product: a matrix somebody else owns, read with any strides, and how its values are laid out
// for a micro-kernel (gemm/kernel.h).
#pragma once

#include <cstddef>

namespace paring {

struct Operand {
  const float* data;
  std::size_t rows, cols, row_stride, col_stride;

  Operand transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  Operand block(std::size_t row, std::size_t row_count, std::size_t col, std::size_t col_count) const {
    return {data + row * row_stride + col * col_stride, row_count, col_count, row_stride, col_stride};
  }
};

inline Operand row_major(const float* data, std::size_t rows, std::size_t cols) { return {data, rows, cols, cols, 1}; }

// out[k * width + i] = a(i, k): rows of `a` side by side, step after step. Rows that `a` has not, up to `width`, are 0.
void interleave_rows(const Operand& a, std::size_t width, float* out);

}  // namespace paring
