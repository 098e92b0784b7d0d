#include "base/simd/f32_avx2.h"
#include "nn/epilogue.inl"

namespace paring {
void epilogue_avx2(const EpilogueTask& task) { finish(task); }
}  // namespace paring
