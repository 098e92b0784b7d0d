#include "base/simd/f32_scalar.h"
#include "sparse/f32_body.inl"

namespace paring {
void spmm_f32_scalar(const SparseTask& task) {
  task.lanes == 1 ? f32_any_columns<F32, 4, 1>(task) : f32_any_columns<F32, 1, 4>(task);
}
}  // namespace paring
