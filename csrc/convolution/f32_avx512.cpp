#include "base/simd/f32_avx512.h"

#include "convolution/f32_body.inl"

namespace paring {
void convolution_f32_avx512(const ConvolutionTask& task) { any_filters<FloatTile, 12, 4, 8>(task); }
}  // namespace paring
