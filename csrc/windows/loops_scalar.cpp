#include "windows/loops.inl"

namespace paring {
constexpr WindowLoops kWindowLoopsScalar = loops_named("windows_scalar", FeatureSet());
}  // namespace paring
