#include "differences/loops.inl"

namespace paring {
constexpr DifferenceLoops kDifferenceLoopsAvx512 = loops_named("differences_avx512", Feature::kAvx512);
}  // namespace paring
