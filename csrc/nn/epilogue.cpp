#include "nn/epilogue.h"

namespace paring {
namespace {

constexpr EpilogueKernel kKernels[] = {
#if PARING_HAVE_AVX512
    {"epilogue_avx512", Feature::kAvx512, &epilogue_avx512, &activate_avx512},
#endif
#if PARING_HAVE_AVX2
    {"epilogue_avx2", Feature::kAvx2, &epilogue_avx2, &activate_avx2},
#endif
#if PARING_HAVE_NEON
    {"epilogue_neon", Feature::kNeon, &epilogue_neon, &activate_neon},
#endif
    {"epilogue_scalar", FeatureSet(), &epilogue_scalar, &activate_scalar},
};

}  // namespace

std::span<const EpilogueKernel> epilogue_kernels() { return kKernels; }

}  // namespace paring
