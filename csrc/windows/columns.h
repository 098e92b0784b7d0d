// Convolution as a matrix product: windows laid out as the columns of a matrix, and the sum that undoes it.
//
// The matrix has a row for each (channel, kernel row, kernel column) and a column for each (image, output row, output
// column) of a chunk: images [image_begin, image_end) and output rows [row_begin, row_end). Padding is +0.
//
// Copies are exact, and additions have one order, so the bytes depend neither on threads nor on the machine.
#pragma once

#include <cstddef>

#include "windows/loops.h"
#include "windows/window_shape.h"

namespace paring {

struct ColumnChunk {
  std::size_t image_begin, image_end, row_begin, row_end;

  std::size_t columns(const WindowShape& shape) const {
    return (image_end - image_begin) * (row_end - row_begin) * shape.columns.out;
  }
};

// Writes every element of `columns`.
template <typename T>
void gather_columns(const Planes<const T>& x, const WindowShape& shape, const ColumnChunk& chunk, T* columns,
                    const WindowLoops& loops);

// Adds every element of `columns` to the element of x that it was gathered from, tap after tap in ascending order.
template <typename T>
void scatter_columns(const T* columns, const WindowShape& shape, const ColumnChunk& chunk, const Planes<T>& x,
                     const WindowLoops& loops);

}  // namespace paring
