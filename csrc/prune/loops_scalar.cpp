#include "prune/loops.inl"

namespace paring {
constexpr PruneLoops kPruneLoopsScalar = loops_named("prune_scalar", FeatureSet());
}  // namespace paring
