#include "gemm/dot_avxvnni.inl"

#include "gemm/dot_steps.inl"

#include "convolution/s8_body.inl"

namespace paring {
void convolution_s8_avxvnni(const ConvolutionTask& task) { any_filters<IntegerTile<Bytes>, 6, 2, 8>(task); }
}  // namespace paring
