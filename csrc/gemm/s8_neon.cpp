// NEON without a dot product multiplies bytes to 16 bits and 16 bits to 32. Two products of full-range bytes do not fit
// 16 bits, so eight-bit weights are widened first; products with four-bit ones have room to be added there.
#include "base/simd/i32_neon.h"
#include "gemm/integer_body.inl"

namespace {

struct Bytes {
  using X = std::int16_t;
  static constexpr int kStepValues = 4, kMask = 255, kRegisters = 20;  // beside those of widened columns
  static constexpr bool kSigned = false;

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    unroll<kVectors / kPanelVectors>([&](auto p) PARING_INLINE {
      const uint8x16x4_t columns = vld4q_u8(w + p * next);  // one k of all columns in each
      unroll<4>([&](auto k) PARING_INLINE {
        constexpr int kPlace = k == 1 ? 2 : k == 2 ? 1 : k;  // x has them in the order 0, 2, 1, 3
        const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(columns.val[k]))),
                        high = vreinterpretq_s16_u16(vmovl_high_u8(columns.val[k]));
        unroll<kRows>([&](auto r) PARING_INLINE {
          const int16x4_t quad = vld1_s16(x + r * 4);
          auto* sums = acc[r] + p * kPanelVectors;
          sums[0] = vmlal_lane_s16(sums[0], vget_low_s16(low), quad, kPlace);
          sums[1] = vmlal_high_lane_s16(sums[1], low, quad, kPlace);
          sums[2] = vmlal_lane_s16(sums[2], vget_low_s16(high), quad, kPlace);
          sums[3] = vmlal_high_lane_s16(sums[3], high, quad, kPlace);
        });
      });
    });
  }
};

PARING_INLINE inline int8x16_t broadcast_quad(const std::int8_t* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return vreinterpretq_s8_s32(vdupq_n_s32(value));
}

struct Nibbles {
  using X = std::int8_t;
  static constexpr int kStepValues = 8, kMask = 15, kRegisters = 20;  // beside those of products
  static constexpr bool kSigned = false;

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    unroll<kVectors>([&](auto v) PARING_INLINE {
      const uint8x16_t bytes = vreinterpretq_u8_s32(I32::load(vector_at(w, next, v)));
      const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15))),
                      high = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
      unroll<kRows>([&](auto r) PARING_INLINE {
        const int8x16_t first = broadcast_quad(x + r * 4), second = broadcast_quad(x + (kRows + r) * 4);
        // Four products of at most 15 * 128 a lane in the end: 7680 in magnitude.
        int16x8_t near = vmull_s8(vget_low_s8(low), vget_low_s8(first)), far = vmull_high_s8(low, first);
        near = vmlal_s8(near, vget_low_s8(high), vget_low_s8(second));
        far = vmlal_high_s8(far, high, second);
        acc[r][v] = vpadalq_s16(acc[r][v], vpaddq_s16(near, far));
      });
    });
  }
};

}  // namespace

namespace paring {
void gemm_s8u8_neon(const IntegerTask& task) { any_rows<Bytes, 4, 2>(task); }
void gemm_s8u4_neon(const IntegerTask& task) { any_rows<Nibbles, 4, 2>(task); }
}  // namespace paring
