#include "base/simd/f32_avx512.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_avx512(const EpilogueTask& task) { finish(task); }
void activate_avx512(const ActivationTask& task) { activate(task); }
}  // namespace paring
