#include "optimizers/loops.inl"

namespace paring {
constexpr OptimizerLoops kOptimizerLoopsScalar = loops_named("optimizers_scalar", FeatureSet());
}  // namespace paring
