#include "sparse/kernel.h"

namespace paring {
namespace {

// Name: spmm_<value>_<level>_<most lanes>.
constexpr SparseKernel kKernels[] = {
#if PARING_HAVE_AVX512VNNI
    {"spmm_s8_avx512vnni_64",
     Feature::kAvx512 | Feature::kAvx512Vnni,
     SparseValue::kS8,
     SparseLayout::kU8Quads,
     {16, 32, 64},
     &spmm_s8_avx512vnni},
#endif
#if PARING_HAVE_AVX512
    {"spmm_f32_avx512_64", Feature::kAvx512, SparseValue::kF32, SparseLayout::kF32, {16, 32, 48, 64}, &spmm_f32_avx512},
#endif
#if PARING_HAVE_AVX2
    {"spmm_s8_avx2_32", Feature::kAvx2, SparseValue::kS8, SparseLayout::kS16Pairs, {16, 32}, &spmm_s8_avx2},
    {"spmm_f32_avx2_32", Feature::kAvx2, SparseValue::kF32, SparseLayout::kF32, {8, 16, 24, 32}, &spmm_f32_avx2},
#endif
#if PARING_HAVE_NEON
    {"spmm_s8_neon_32", Feature::kNeon, SparseValue::kS8, SparseLayout::kS16Pairs, {16, 32}, &spmm_s8_neon},
    {"spmm_f32_neon_32", Feature::kNeon, SparseValue::kF32, SparseLayout::kF32, {4, 8, 16, 32}, &spmm_f32_neon},
#endif
    {"spmm_s8_scalar_16", FeatureSet(), SparseValue::kS8, SparseLayout::kS16Pairs, {16}, &spmm_s8_scalar},
    {"spmm_f32_scalar_4", FeatureSet(), SparseValue::kF32, SparseLayout::kF32, {4}, &spmm_f32_scalar},
};

constexpr bool fit_the_bounds() {
  for (const SparseKernel& kernel : kKernels)
    for (const std::size_t lanes : kernel.lanes)
      if (lanes > kMaxLanes || lanes % 4 != 0 || (kernel.value == SparseValue::kS8 && lanes % 16 != 0)) return false;
  return true;
}
static_assert(fit_the_bounds());

}  // namespace

std::span<const SparseKernel> sparse_kernels() { return kKernels; }

const SparseKernel& choose_sparse_kernel(SparseValue value, FeatureSet have) {
  const SparseKernel* chosen = nullptr;
  for (const SparseKernel& kernel : kKernels) {
    if (kernel.value != value) continue;
    chosen = &kernel;
    if (have.contains(kernel.needs)) break;
  }
  return *chosen;  // the last row of every type needs nothing
}

}  // namespace paring
