#include "base/simd/i32_avx2.h"

namespace {
struct Dot {
  static constexpr int kRegisters = 16;
  static __m256i add(__m256i sum, __m256i w, __m256i x) { return _mm256_dpbusd_avx_epi32(sum, w, x); }
};
}  // namespace

#include "gemm/vnni_steps.inl"

namespace paring {
void gemm_s8u8_avxvnni(const IntegerTask& task) { any_rows<Bytes, 6, 2>(task); }
void gemm_s8u4_avxvnni(const IntegerTask& task) { any_rows<Nibbles, 6, 2>(task); }
}  // namespace paring
