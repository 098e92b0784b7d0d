#include "gemm/dot_avxvnni.inl"

#include "gemm/dot_steps.inl"

#include "gemm/integer_body.inl"

namespace paring {
void gemm_s8u8_avxvnni(const IntegerTask& task) { any_rows<Bytes, 6, 2>(task); }
void gemm_s8u4_avxvnni(const IntegerTask& task) { any_rows<Nibbles, 6, 2>(task); }
}  // namespace paring
