#include "differences/loops.h"

namespace paring {
namespace {

const DifferenceLoops kTable[] = {
#if PARING_HAVE_AVX512
    kDifferenceLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kDifferenceLoopsAvx2,
#endif
    kDifferenceLoopsScalar,
};

}  // namespace

std::span<const DifferenceLoops> difference_loops() { return kTable; }

}  // namespace paring
