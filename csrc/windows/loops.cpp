#include "windows/loops.h"

namespace paring {
namespace {

const WindowLoops kTable[] = {
#if PARING_HAVE_AVX512
    kWindowLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kWindowLoopsAvx2,
#endif
    kWindowLoopsScalar,
};

}  // namespace

std::span<const WindowLoops> window_loops() { return kTable; }

}  // namespace paring
