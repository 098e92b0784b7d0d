#include "base/simd/f32_neon.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_neon(const EpilogueTask& task) { finish(task); }
void activate_neon(const ActivationTask& task) { activate(task); }
}  // namespace paring
