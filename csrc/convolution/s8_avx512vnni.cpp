#include "gemm/dot_avx512vnni.inl"

#include "gemm/dot_steps.inl"

#include "convolution/s8_body.inl"

namespace paring {
void convolution_s8_avx512vnni(const ConvolutionTask& task) { any_filters<IntegerTile<Bytes>, 12, 4, 8>(task); }
}  // namespace paring
