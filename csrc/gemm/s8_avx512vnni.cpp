#include "gemm/dot_avx512vnni.inl"

#include "gemm/dot_steps.inl"

#include "gemm/integer_body.inl"

namespace paring {
void gemm_s8u8_avx512vnni(const IntegerTask& task) { any_rows<Bytes, 12, 6>(task); }
void gemm_s8u4_avx512vnni(const IntegerTask& task) { any_rows<Nibbles, 12, 6>(task); }
}  // namespace paring
