// The steps of an instruction that adds four products of bytes, of a weight and of x (the same quad for all columns),
// to each 32-bit sum, without saturation: VPDPBUSD and SDOT. Dot (of the including file) says which:
//
//   Dot::add(sum, w, x)  the instruction
//   Dot::kSignedWeights  whether it takes the weights as signed bytes; x is signed in any case
//   Dot::kRegisters      vector registers there are
#include "gemm/integer_sums.inl"

namespace {

PARING_INLINE inline I32::Vec broadcast_quad(const std::int8_t* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return I32::set(value);
}

template <int kRows, int kVectors>
PARING_INLINE inline void add_quad(const I32::Vec (&columns)[kVectors], const std::int8_t* x,
                                   Sums<kRows, kVectors>& acc) {
  unroll<kRows>([&](auto r) PARING_INLINE {
    const I32::Vec value = broadcast_quad(x + r * 4);
    unroll<kVectors>([&](auto v) PARING_INLINE { acc[r][v] = Dot::add(acc[r][v], columns[v], value); });
  });
}

struct Bytes {
  using X = std::int8_t;
  static constexpr int kStepValues = 4, kMask = 255, kRegisters = Dot::kRegisters;
  static constexpr bool kSigned = Dot::kSignedWeights;

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    I32::Vec columns[kVectors];
    unroll<kVectors>([&](auto v) PARING_INLINE { columns[v] = I32::load(vector_at(w, next, v)); });
    add_quad<kRows, kVectors>(columns, x, acc);
  }
};

struct Nibbles {
  using X = std::int8_t;
  static constexpr int kStepValues = 8, kMask = 15, kRegisters = Dot::kRegisters;
  static constexpr bool kSigned = false;  // 0 ... 15 is the same to either

  template <int kRows, int kVectors>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x, Sums<kRows, kVectors>& acc) {
    const I32::Vec nibbles = I32::set(0x0f0f0f0f);
    I32::Vec columns[kVectors];
    unroll<kVectors>([&](auto v)
                         PARING_INLINE { columns[v] = I32::bit_and(I32::load(vector_at(w, next, v)), nibbles); });
    add_quad<kRows, kVectors>(columns, x, acc);
    unroll<kVectors>([&](auto v) PARING_INLINE {
      columns[v] = I32::bit_and(I32::shift_right(I32::load(vector_at(w, next, v)), 4), nibbles);
    });
    add_quad<kRows, kVectors>(columns, x + kRows * 4, acc);
  }
};

}  // namespace
