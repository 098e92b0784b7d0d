#include "quantize/loops.h"

namespace paring {
namespace {

const QuantizeLoops kTable[] = {
#if PARING_HAVE_AVX512
    kQuantizeLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kQuantizeLoopsAvx2,
#endif
    kQuantizeLoopsScalar,
};

}  // namespace

std::span<const QuantizeLoops> quantize_loops() { return kTable; }

}  // namespace paring
