#include "base/simd/f32_scalar.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_scalar(const EpilogueTask& task) { finish(task); }
void activate_scalar(const ActivationTask& task) { activate(task); }
}  // namespace paring
