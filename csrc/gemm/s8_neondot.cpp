#include "base/simd/i32_neon.h"

namespace {
struct Dot {
  static constexpr int kRegisters = 32;
  static constexpr bool kSignedWeights = true;
  static int32x4_t add(int32x4_t sum, int32x4_t w, int32x4_t x) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
  }
};
}  // namespace

#include "gemm/dot_steps.inl"

#include "gemm/integer_body.inl"

namespace paring {
void gemm_s8u8_neondot(const IntegerTask& task) { any_rows<Bytes, 6, 2>(task); }
void gemm_s8u4_neondot(const IntegerTask& task) { any_rows<Nibbles, 5, 2>(task); }
}  // namespace paring
