#include "sparse/csr_loops.h"

namespace paring {
namespace {

const CsrLoops kTable[] = {
#if PARING_HAVE_AVX512
    kCsrLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kCsrLoopsAvx2,
#endif
    kCsrLoopsScalar,
};

}  // namespace

std::span<const CsrLoops> csr_loops() { return kTable; }

}  // namespace paring
