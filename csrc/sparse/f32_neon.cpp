#include "base/simd/f32_neon.h"
#include "sparse/f32_body.inl"

namespace paring {
void spmm_f32_neon(const SparseTask& task) {
  if (task.lanes == 1) return f32_any_columns<Single, 4, 1>(task);
  switch (task.lanes / F32::kWidth) {
    case 1: return f32_any_columns<F32, 4, 1>(task);
    case 2: return f32_any_columns<F32, 4, 2>(task);
    case 4: return f32_any_columns<F32, 4, 4>(task);
    default: return f32_any_columns<F32, 2, 8>(task);
  }
}
}  // namespace paring
