#include "prune/loops.h"

namespace paring {
namespace {

const PruneLoops kTable[] = {
#if PARING_HAVE_AVX512
    kPruneLoopsAvx512,
#endif
#if PARING_HAVE_AVX2
    kPruneLoopsAvx2,
#endif
    kPruneLoopsScalar,
};

}  // namespace

std::span<const PruneLoops> prune_loops() { return kTable; }

}  // namespace paring
