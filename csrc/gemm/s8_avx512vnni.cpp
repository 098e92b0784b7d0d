#include "base/simd/i32_avx512.h"

namespace {
struct Dot {
  static constexpr int kRegisters = 32;
  static __m512i add(__m512i sum, __m512i w, __m512i x) { return _mm512_dpbusd_epi32(sum, w, x); }
};
}  // namespace

#include "gemm/vnni_steps.inl"

namespace paring {
void gemm_s8u8_avx512vnni(const IntegerTask& task) { any_rows<Bytes, 12, 6>(task); }
void gemm_s8u4_avx512vnni(const IntegerTask& task) { any_rows<Nibbles, 12, 6>(task); }
}  // namespace paring
