#include "prune/loops.inl"

namespace paring {
constexpr PruneLoops kPruneLoopsAvx512 = loops_named("prune_avx512", Feature::kAvx512);
}  // namespace paring
