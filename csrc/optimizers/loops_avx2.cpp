#include "optimizers/loops.inl"

namespace paring {
constexpr OptimizerLoops kOptimizerLoopsAvx2 = loops_named("optimizers_avx2", Feature::kAvx2);
}  // namespace paring
