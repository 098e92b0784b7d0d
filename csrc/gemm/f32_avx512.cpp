#include "base/simd/f32_avx512.h"
#include "gemm/f32_body.inl"

namespace paring {
void gemm_f32_avx512(const FloatTask& task) { f32_any_rows<12, 2>(task); }
}  // namespace paring
