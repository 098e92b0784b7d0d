#include "optimizers/loops.inl"

namespace paring {
constexpr OptimizerLoops kOptimizerLoopsAvx512 = loops_named("optimizers_avx512", Feature::kAvx512);
}  // namespace paring
