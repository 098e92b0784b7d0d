#include "optimizers/loops.h"

namespace paring {
namespace {

const OptimizerLoops kTable[] = {
#if PARING_HAVE_AVX512
    kOptimizerLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kOptimizerLoopsAvx2,
#endif
    kOptimizerLoopsScalar,
};

}  // namespace

std::span<const OptimizerLoops> optimizer_loops() { return kTable; }

}  // namespace paring
