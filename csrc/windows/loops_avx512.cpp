#include "windows/loops.inl"

namespace paring {
constexpr WindowLoops kWindowLoopsAvx512 = loops_named("windows_avx512", Feature::kAvx512);
}  // namespace paring
