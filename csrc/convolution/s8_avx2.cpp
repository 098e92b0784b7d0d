#include "gemm/avx2_steps.inl"

#include "convolution/s8_body.inl"

namespace paring {
void convolution_s8_avx2(const ConvolutionTask& task) { any_filters<IntegerTile<Bytes>, 4, 1, 4>(task); }
}  // namespace paring
