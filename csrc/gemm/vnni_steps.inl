// The steps of VPDPBUSD, which adds four products of an unsigned byte (the weight) and a signed byte (x, the same quad
// for all columns) to each 32-bit sum, without saturation. Dot (of the including file) is one of its widths.
#include "gemm/integer_sums.inl"

namespace {

PARING_INLINE inline I32::Vec broadcast_quad(const std::int8_t* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return I32::set(value);
}

template <int kRows, int kPanels>
PARING_INLINE inline void add_quad(const I32::Vec (&columns)[2 * kPanels], const std::int8_t* x,
                                   Sums<kRows, 2 * kPanels>& acc) {
  unroll<kRows>([&](auto r) PARING_INLINE {
    const I32::Vec value = broadcast_quad(x + r * 4);
    unroll<2 * kPanels>([&](auto v) PARING_INLINE { acc[r][v] = Dot::add(acc[r][v], columns[v], value); });
  });
}

struct Bytes {
  using X = std::int8_t;
  static constexpr int kStepValues = 4, kMask = 255, kRegisters = Dot::kRegisters;

  template <int kRows, int kPanels>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x,
                                     Sums<kRows, 2 * kPanels>& acc) {
    I32::Vec columns[2 * kPanels];
    unroll<2 * kPanels>([&](auto v) PARING_INLINE { columns[v] = I32::load(vector_at(w, next, v)); });
    add_quad<kRows, kPanels>(columns, x, acc);
  }
};

struct Nibbles {
  using X = std::int8_t;
  static constexpr int kStepValues = 8, kMask = 15, kRegisters = Dot::kRegisters;

  template <int kRows, int kPanels>
  PARING_INLINE static void add_step(const std::uint8_t* w, std::size_t next, const X* x,
                                     Sums<kRows, 2 * kPanels>& acc) {
    const I32::Vec nibbles = I32::set(0x0f0f0f0f);
    I32::Vec columns[2 * kPanels];
    unroll<2 * kPanels>([&](auto v)
                            PARING_INLINE { columns[v] = I32::bit_and(I32::load(vector_at(w, next, v)), nibbles); });
    add_quad<kRows, kPanels>(columns, x, acc);
    unroll<2 * kPanels>([&](auto v) PARING_INLINE {
      columns[v] = I32::bit_and(I32::shift_right(I32::load(vector_at(w, next, v)), 4), nibbles);
    });
    add_quad<kRows, kPanels>(columns, x + kRows * 4, acc);
  }
};

}  // namespace
