#include "base/simd/f32_scalar.h"
#include "gemm/f32_body.inl"

namespace paring {
void gemm_f32_scalar(const FloatTask& task) { f32_any_rows<4, 16>(task); }
}  // namespace paring
