#include "base/simd/f32_neon.h"
#include "gemm/f32_body.inl"

namespace paring {
void gemm_f32_neon(const FloatTask& task) { f32_any_rows<6, 4>(task); }
}  // namespace paring
