// Max-pooling: of each window the largest value inside the input, and where it was.
//
// A NaN is larger than everything, of several NaN the last wins; of other equal values the first in row-major order.
// A place is row * columns.size + column within the plane; a plane has at most 2^31 - 1 elements.
#pragma once

#include <cstdint>

#include "windows/loops.h"
#include "windows/window_shape.h"

namespace paring {

// Whether every window has a tap inside the input: what max_pool expects of both axes.
bool every_window_meets_input(const WindowAxis& axis);

// `y`, and `places` with its strides unless its data is null, have out_plane() elements a plane.
template <typename T>
void max_pool(const Planes<const T>& x, const WindowShape& shape, const Planes<T>& y,
              const Planes<std::int32_t>& places, const WindowLoops& loops);

// Writes every element of dx: the sum of the dy whose window had its largest value there, in ascending order. Throws
// std::invalid_argument if a place is beyond the plane. dx is then undefined.
template <typename T>
void max_pool_gradient(const Planes<const T>& dy, const Planes<const std::int32_t>& places, const WindowShape& shape,
                       const Planes<T>& dx);

}  // namespace paring
