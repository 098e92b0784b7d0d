#include "base/simd/f32_avx2.h"

#include "convolution/f32_body.inl"

namespace paring {
void convolution_f32_avx2(const ConvolutionTask& task) { any_filters<FloatTile, 6, 2, 8>(task); }
}  // namespace paring
