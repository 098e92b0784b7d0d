#include "gemm/avx2_steps.inl"

#include "gemm/integer_body.inl"

namespace paring {
void gemm_s8u8_avx2(const IntegerTask& task) { any_rows<Bytes, 4, 2>(task); }
void gemm_s8u4_avx2(const IntegerTask& task) { any_rows<Nibbles, 4, 2>(task); }
}  // namespace paring
