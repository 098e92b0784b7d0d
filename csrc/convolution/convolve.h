// y = activation(convolution of x with packed filters + bias + residual).
//
// Integer filters meet int8 images: each image is rounded by one scale, that of its largest magnitude / 127 (as
// quantize/activation.h rounds a row, but with no value kept apart), or by one that is given, whose zero point is the
// code of padding. An image with NaN or infinity gives NaN everywhere.
#pragma once

#include <cstdint>
#include <optional>

#include "convolution/packed_filters.h"
#include "gemm/gemm.h"
#include "quantize/activation.h"

namespace paring {

struct ImageInput {
  Planes<const float> values;       // null data if codes are given
  Planes<const std::int8_t> codes;  // of `scale`; for integer filters
  std::optional<StaticScale>
      scale;  // of values that integer filters meet: how to round them, none for each image's own
};

// Row n * filters + f of the output is plane f of image n. It must overlap neither the input nor the residual.
void convolve(const ImageInput& x, const PackedFilters& filters, const WindowShape& shape, const LinearOutput& y);

}  // namespace paring
