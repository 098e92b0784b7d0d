#include "base/simd/f32_avx512.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_avx512(const EpilogueTask& task) { finish(task); }
}  // namespace paring
