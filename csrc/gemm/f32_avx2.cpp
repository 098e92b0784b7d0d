#include "base/simd/f32_avx2.h"
#include "gemm/f32_body.inl"

namespace paring {
void gemm_f32_avx2(const FloatTask& task) { f32_any_rows<6, 2>(task); }
}  // namespace paring
