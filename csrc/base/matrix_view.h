// A row-major matrix somebody else owns.
#pragma once

#include <cstddef>

namespace paring {

template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t row_stride = 0;  // elements between the starts of two rows

  T* row(std::size_t i) const { return data + i * row_stride; }
};

template <typename T>
MatrixView<T> contiguous(T* data, std::size_t rows, std::size_t cols) {
  return {data, rows, cols, cols};
}

}  // namespace paring
