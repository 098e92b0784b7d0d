#include "base/simd/f32_avx2.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_avx2(const EpilogueTask& task) { finish(task); }
void activate_avx2(const ActivationTask& task) { activate(task); }
}  // namespace paring
