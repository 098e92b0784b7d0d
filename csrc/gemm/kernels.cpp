#include "gemm/kernel.h"

namespace paring {
namespace {

using enum WeightType;
using enum ActivationLayout;

// A row that leaves x in float32: its weights are float32 to run_floats, by way of `expand` if there is one.
constexpr GemmKernel floats(const char* name, FeatureSet needs, PackLayout layout, std::uint8_t mr,
                            void (*run_floats)(const FloatTask&), void (*expand)(const ExpandTask&),
                            void (*run_few)(const FewTask&)) {
  return {name, needs, layout, kFloats, mr, 0, nullptr, run_floats, expand, run_few};
}

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
    floats("gemm_f32_avx512_12x32", Feature::kAvx512, {kF32, 32, 1}, 12, &gemm_f32_avx512, nullptr, &few_f32_avx512),
    floats("gemm_f32u8_avx512_12x32", Feature::kAvx512, {kU8, 32, 4}, 12, &gemm_f32_avx512, &expand_u8_avx512,
           &few_f32u8_avx512),
    floats("gemm_f32u4_avx512_12x32", Feature::kAvx512, {kU4, 32, 8}, 12, &gemm_f32_avx512, &expand_u4_avx512,
           &few_f32u4_avx512),
    floats("gemm_f32f16_avx512_12x32", Feature::kAvx512, {kF16, 32, 1}, 12, &gemm_f32_avx512, &expand_f16_avx512,
           &few_f32f16_avx512),
    floats("gemm_f32bf16_avx512_12x32", Feature::kAvx512, {kBF16, 32, 1}, 12, &gemm_f32_avx512, &expand_bf16_avx512,
           &few_f32bf16_avx512),
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
    floats("gemm_f32_avx2_6x16", Feature::kAvx2, {kF32, 16, 1}, 6, &gemm_f32_avx2, nullptr, &few_f32_avx2),
    floats("gemm_f32u8_avx2_6x16", Feature::kAvx2, {kU8, 16, 4}, 6, &gemm_f32_avx2, &expand_u8_avx2, &few_f32u8_avx2),
    floats("gemm_f32u4_avx2_6x16", Feature::kAvx2, {kU4, 16, 8}, 6, &gemm_f32_avx2, &expand_u4_avx2, &few_f32u4_avx2),
    floats("gemm_f32f16_avx2_6x16", Feature::kAvx2, {kF16, 16, 1}, 6, &gemm_f32_avx2, &expand_f16_avx2,
           &few_f32f16_avx2),
    floats("gemm_f32bf16_avx2_6x16", Feature::kAvx2, {kBF16, 16, 1}, 6, &gemm_f32_avx2, &expand_bf16_avx2,
           &few_f32bf16_avx2),
#endif
#if PARING_HAVE_NEONDOT
    // Proven right under emulation; nobody has measured the rows for ARM.
    {"gemm_s8u8_neondot_6x16",
     Feature::kNeon | Feature::kNeonDot,
     {kU8, 16, 4, true},
     kQuads,
     6,
     2,
     &gemm_s8u8_neondot,
     nullptr},
    {"gemm_s8u4_neondot_5x16",
     Feature::kNeon | Feature::kNeonDot,
     {kU4, 16, 8},
     kQuads,
     5,
     2,
     &gemm_s8u4_neondot,
     nullptr},
#endif
#if PARING_HAVE_NEON
    {"gemm_s8u8_neon_4x16", Feature::kNeon, {kU8, 16, 4}, kPairs, 4, 2, &gemm_s8u8_neon, nullptr},
    {"gemm_s8u4_neon_4x16", Feature::kNeon, {kU4, 16, 8}, kQuads, 4, 2, &gemm_s8u4_neon, nullptr},
    floats("gemm_f32_neon_6x16", Feature::kNeon, {kF32, 16, 1}, 6, &gemm_f32_neon, nullptr, nullptr),
    floats("gemm_f32u8_neon_6x16", Feature::kNeon, {kU8, 16, 4}, 6, &gemm_f32_neon, &expand_u8_scalar, nullptr),
    floats("gemm_f32u4_neon_6x16", Feature::kNeon, {kU4, 16, 8}, 6, &gemm_f32_neon, &expand_u4_scalar, nullptr),
    floats("gemm_f32f16_neon_6x16", Feature::kNeon, {kF16, 16, 1}, 6, &gemm_f32_neon, &expand_f16_scalar, nullptr),
    floats("gemm_f32bf16_neon_6x16", Feature::kNeon, {kBF16, 16, 1}, 6, &gemm_f32_neon, &expand_bf16_scalar, nullptr),
#endif
    {"gemm_s8u8_scalar_4x16", FeatureSet(), {kU8, 16, 4}, kQuads, 4, 0, &gemm_s8u8_scalar, nullptr},
    {"gemm_s8u4_scalar_4x16", FeatureSet(), {kU4, 16, 8}, kQuads, 4, 0, &gemm_s8u4_scalar, nullptr},
    floats("gemm_f32_scalar_4x16", FeatureSet(), {kF32, 16, 1}, 4, &gemm_f32_scalar, nullptr, nullptr),
    floats("gemm_f32u8_scalar_4x16", FeatureSet(), {kU8, 16, 4}, 4, &gemm_f32_scalar, &expand_u8_scalar, nullptr),
    floats("gemm_f32u4_scalar_4x16", FeatureSet(), {kU4, 16, 8}, 4, &gemm_f32_scalar, &expand_u4_scalar, nullptr),
    floats("gemm_f32f16_scalar_4x16", FeatureSet(), {kF16, 16, 1}, 4, &gemm_f32_scalar, &expand_f16_scalar, nullptr),
    floats("gemm_f32bf16_scalar_4x16", FeatureSet(), {kBF16, 16, 1}, 4, &gemm_f32_scalar, &expand_bf16_scalar, nullptr),
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

const GemmKernel& choose_gemm_kernel(WeightType type, Compute compute, FeatureSet have) {
  const GemmKernel* chosen = nullptr;
  for (const GemmKernel& kernel : kKernels) {
    if (kernel.layout.type != type || kernel.compute() != compute) continue;
    chosen = &kernel;
    if (have.contains(kernel.needs)) break;
  }
  return *chosen;  // the last row of every kind needs nothing
}

}  // namespace paring
