#include "prune/loops.inl"

namespace paring {
constexpr PruneLoops kPruneLoopsAvx2 = loops_named("prune_avx2", Feature::kAvx2);
}  // namespace paring
