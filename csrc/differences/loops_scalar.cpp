#include "differences/loops.inl"

namespace paring {
constexpr DifferenceLoops kDifferenceLoopsScalar = loops_named("differences_scalar", FeatureSet());
}  // namespace paring
