#include "gemm/kernel.h"

namespace paring {
namespace {

using enum WeightType;
using enum ActivationLayout;

// Name: gemm_<x><w>_<level>_<mr>x<nr>.
constexpr GemmKernel kKernels[] = {
#if PARING_HAVE_AVX512VNNI
    {"gemm_s8u8_avx512vnni_12x32",
     Feature::kAvx512 | Feature::kAvx512Vnni,
     {kU8, 32, 4},
     kQuads,
     12,
     6,
     &gemm_s8u8_avx512vnni,
     nullptr},
    {"gemm_s8u4_avx512vnni_6x32",
     Feature::kAvx512 | Feature::kAvx512Vnni,
     {kU4, 32, 8},
     kQuads,
     6,
     6,
     &gemm_s8u4_avx512vnni,
     nullptr},
#endif
#if PARING_HAVE_AVX512
    {"gemm_f32_avx512_12x32", Feature::kAvx512, {kF32, 32, 1}, kFloats, 12, 0, nullptr, &gemm_f32_avx512},
#endif
#if PARING_HAVE_AVXVNNI
    {"gemm_s8u8_avxvnni_6x16",
     Feature::kAvx2 | Feature::kAvxVnni,
     {kU8, 16, 4},
     kQuads,
     6,
     2,
     &gemm_s8u8_avxvnni,
     nullptr},
    {"gemm_s8u4_avxvnni_6x16",
     Feature::kAvx2 | Feature::kAvxVnni,
     {kU4, 16, 8},
     kQuads,
     6,
     2,
     &gemm_s8u4_avxvnni,
     nullptr},
#endif
#if PARING_HAVE_AVX2
    {"gemm_s8u8_avx2_4x16", Feature::kAvx2, {kU8, 16, 4}, kPairs, 4, 2, &gemm_s8u8_avx2, nullptr},
    {"gemm_s8u4_avx2_4x16", Feature::kAvx2, {kU4, 16, 8}, kQuads, 4, 2, &gemm_s8u4_avx2, nullptr},
    {"gemm_f32_avx2_6x16", Feature::kAvx2, {kF32, 16, 1}, kFloats, 6, 0, nullptr, &gemm_f32_avx2},
#endif
    {"gemm_s8u8_scalar_4x16", FeatureSet(), {kU8, 16, 4}, kQuads, 4, 0, &gemm_s8u8_scalar, nullptr},
    {"gemm_s8u4_scalar_4x16", FeatureSet(), {kU4, 16, 8}, kQuads, 4, 0, &gemm_s8u4_scalar, nullptr},
    {"gemm_f32_scalar_4x16", FeatureSet(), {kF32, 16, 1}, kFloats, 4, 0, nullptr, &gemm_f32_scalar},
};

constexpr bool fit_the_bounds() {
  for (const GemmKernel& kernel : kKernels) {
    if (kernel.mr > kMaxTileRows || kernel.layout.nr > kMaxPanelColumns || kernel.layout.nr % 16 != 0) return false;
  }
  return true;
}
static_assert(fit_the_bounds());

}  // namespace

std::span<const GemmKernel> gemm_kernels() { return kKernels; }

const GemmKernel& choose_gemm_kernel(WeightType type, FeatureSet have) {
  const GemmKernel* chosen = nullptr;
  for (const GemmKernel& kernel : kKernels) {
    if (kernel.layout.type != type) continue;
    chosen = &kernel;
    if (have.contains(kernel.needs)) break;
  }
  return *chosen;  // the last row of every type needs nothing
}

}  // namespace paring
