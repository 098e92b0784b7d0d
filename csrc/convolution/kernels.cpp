#include "convolution/kernel.h"

namespace paring {
namespace {

using enum ConvolutionKind;
using enum FilterLayout;

// Name: convolution_<kind>_<level>_<mr>x<positions>.
constexpr ConvolutionKernel kKernels[] = {
#if PARING_HAVE_AVX512VNNI
    {"convolution_s8_avx512vnni_12x32", Feature::kAvx512 | Feature::kAvx512Vnni, kS8, kQuads, 12, 32, 16, 4, 128,
     &convolution_s8_avx512vnni},
#endif
#if PARING_HAVE_AVX512
    {"convolution_f32_avx512_12x32", Feature::kAvx512, kF32, kFloats, 12, 32, 16, 4, 128, &convolution_f32_avx512},
#endif
#if PARING_HAVE_AVXVNNI
    {"convolution_s8_avxvnni_6x16", Feature::kAvx2 | Feature::kAvxVnni, kS8, kQuads, 6, 16, 8, 2, 64,
     &convolution_s8_avxvnni},
#endif
#if PARING_HAVE_AVX2
    {"convolution_s8_avx2_4x16", Feature::kAvx2, kS8, kPairs, 4, 16, 8, 1, 32, &convolution_s8_avx2},
    {"convolution_f32_avx2_6x16", Feature::kAvx2, kF32, kFloats, 6, 16, 8, 2, 64, &convolution_f32_avx2},
#endif
    {"convolution_s8_scalar_4x16", FeatureSet(), kS8, kQuads, 4, 16, 16, 0, 16, &convolution_s8_scalar},
    {"convolution_f32_scalar_4x16", FeatureSet(), kF32, kFloats, 4, 16, 16, 0, 16, &convolution_f32_scalar},
};

constexpr bool fit_the_bounds() {
  for (const ConvolutionKernel& kernel : kKernels) {
    if (kernel.mr > kMostFilterRows || kernel.single_positions > kMostPositions) return false;
    if (kernel.single_positions % kernel.positions != 0) return false;
  }
  return true;
}
static_assert(fit_the_bounds());

}  // namespace

std::span<const ConvolutionKernel> convolution_kernels() { return kKernels; }

const ConvolutionKernel& choose_convolution_kernel(ConvolutionKind kind, FeatureSet have) {
  const ConvolutionKernel* chosen = nullptr;
  for (const ConvolutionKernel& kernel : kKernels) {
    if (kernel.kind != kind) continue;
    chosen = &kernel;
    if (have.contains(kernel.needs)) break;
  }
  return *chosen;  // the last row of every kind needs nothing
}

}  // namespace paring
