#include "windows/loops.inl"

namespace paring {
constexpr WindowLoops kWindowLoopsAvx2 = loops_named("windows_avx2", Feature::kAvx2);
}  // namespace paring
