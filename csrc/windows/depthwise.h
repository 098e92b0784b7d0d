// Depthwise convolution: every channel has filters of its own and nothing is added across channels. Its products are
// too small for a matrix product, so taps run over the planes themselves.
//
// Filter f belongs to channel f / multiplier, where multiplier = filters / channels; the filters are (filters, taps).
// Products and sums are rounded apart and have one order: the bytes depend neither on threads nor on the machine.
#pragma once

#include <cstddef>

#include "windows/loops.h"
#include "windows/window_shape.h"

namespace paring {

// y = the sums of taps in ascending order, started from bias[f], or 0 where `bias` is null.
template <typename T>
void depthwise(const Planes<const T>& x, const T* filters, const T* bias, const WindowShape& shape, const Planes<T>& y,
               const WindowLoops& loops);

// dx = what each dy sends back, filters of a channel and taps in ascending order.
template <typename T>
void depthwise_input_gradient(const Planes<const T>& dy, const T* filters, const WindowShape& shape,
                              const Planes<T>& dx, const WindowLoops& loops);

// The sums over images in ascending order, in float64; within an image as TapLoops::dot adds.
template <typename T>
void depthwise_filter_gradient(const Planes<const T>& x, const Planes<const T>& dy, const WindowShape& shape,
                               T* filters, const WindowLoops& loops);

}  // namespace paring
