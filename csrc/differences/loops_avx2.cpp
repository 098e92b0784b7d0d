#include "differences/loops.inl"

namespace paring {
constexpr DifferenceLoops kDifferenceLoopsAvx2 = loops_named("differences_avx2", Feature::kAvx2);
}  // namespace paring
