// Convolution over float32 images as products with windows laid out as columns (windows/columns.h), and its gradients.
//
// Filters are (count, channels / groups * taps), row after row. Outputs are channel-major, (count, images, rows.out,
// columns.out), so that an output channel of many images is one row of a matrix. Work is cut by shapes alone and sums
// are as in products/product.h, so the bytes do not depend on the CPU or the threads.
#pragma once

#include <cstddef>

#include "gemm/kernel.h"
#include "windows/loops.h"
#include "windows/window_shape.h"

namespace paring {

struct Convolution {
  const WindowShape& shape;
  std::size_t images, channels, filters, groups;
  const WindowLoops& loops;
  const GemmKernel& kernel;

  std::size_t group_channels() const { return channels / groups; }
  std::size_t group_filters() const { return filters / groups; }
  std::size_t depth() const { return group_channels() * shape.taps(); }  // of a filter
  std::size_t positions() const { return images * shape.out_plane(); }
};

// y = filters * columns(x) + bias (one a filter, or null).
void convolve(const Convolution& sizes, const Planes<const float>& x, const float* filters, const float* bias,
              float* y);

// dx: the sum over all windows of transpose(filters) * dy. Every element of dx is written.
void convolve_input_gradient(const Convolution& sizes, const float* dy, const float* filters, const Planes<float>& dx);

// gradient (filters, depth) = dy * transpose(columns(x)).
void convolve_filter_gradient(const Convolution& sizes, const Planes<const float>& x, const float* dy, float* gradient);

}  // namespace paring
