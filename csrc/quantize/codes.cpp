#include "quantize/codes.h"

#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

#include "threads/pool.h"
#include "threads/smallest_index.h"

namespace paring {
namespace {

static_assert(std::endian::native == std::endian::little);

// A number whose lanes of `lane` bits all hold `value`.
constexpr std::uint64_t repeat(std::uint64_t value, int lane) {
  std::uint64_t all = 0;
  for (int shift = 0; shift < 64; shift += lane) all |= value << shift;
  return all;
}

constexpr std::uint64_t low_bits(int count) { return (std::uint64_t{1} << count) - 1; }

// Eight codes at a time, one a byte of a 64-bit word. For a code in range, code + 2**(bits - 1) is its low bits with
// the top one flipped. Packing halves the number of lanes three times, each time moving the odd lanes down to the bits
// that the even ones fill; eight codes fill `bits` bytes.
template <int kBits>
struct Eight {
  static constexpr std::uint64_t kFlip = repeat(1 << (kBits - 1), 8);
  static constexpr std::uint64_t kMask = repeat(low_bits(kBits), 8);

  static std::uint64_t pack(std::uint64_t codes) {
    std::uint64_t word = (codes ^ kFlip) & kMask;
    word = halve<8>(word);
    word = halve<16>(word);
    return halve<32>(word);
  }

  static std::uint64_t unpack(std::uint64_t word) {
    word = split<32>(word);
    word = split<16>(word);
    word = split<8>(word);
    // Subtracts in every byte; the bit set above the code keeps the borrow inside.
    constexpr std::uint64_t kTop = repeat(0x80, 8);
    return ((word | kTop) - kFlip) ^ kTop;
  }

 private:
  // Lanes are kLane bits wide, of which kUsed are in use.
  template <int kLane>
  static constexpr int kUsed = kLane / 8 * kBits;
  template <int kLane>
  static constexpr std::uint64_t kEven = repeat(low_bits(kUsed<kLane>), 2 * kLane);

  template <int kLane>
  static std::uint64_t halve(std::uint64_t word) {
    return (word & kEven<kLane>) | ((word >> (kLane - kUsed<kLane>)) & (kEven<kLane> << kUsed<kLane>));
  }
  template <int kLane>
  static std::uint64_t split(std::uint64_t word) {
    return (word & kEven<kLane>) | ((word & (kEven<kLane> << kUsed<kLane>)) << (kLane - kUsed<kLane>));
  }
};

template <int kBits>
void pack(const std::int8_t* codes, std::size_t columns, std::uint8_t* packed) {
  std::uint8_t* const end = packed + packed_row_bytes(columns, kBits);
  for (; columns >= 8; columns -= 8, codes += 8, packed += kBits) {
    std::uint64_t word = 0;
    std::memcpy(&word, codes, 8);
    word = Eight<kBits>::pack(word);
    std::memcpy(packed, &word, kBits);
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    const auto raised = static_cast<std::uint64_t>(codes[i] + (1 << (kBits - 1))) & low_bits(kBits);
    word |= raised << (i * kBits);
  }
  for (; packed < end; ++packed, word >>= 8) *packed = static_cast<std::uint8_t>(word);
}

template <int kBits>
void unpack(const std::uint8_t* packed, std::size_t columns, std::int8_t* codes) {
  const std::uint8_t* const end = packed + packed_row_bytes(columns, kBits);
  while (columns > 0) {
    // Whole words where the row has them: what lies above the eight codes is ignored.
    const std::size_t count = columns < 8 ? columns : 8;
    std::uint64_t word = 0;
    if (end - packed >= 8) {
      std::memcpy(&word, packed, 8);
    } else {
      std::memcpy(&word, packed, (count * kBits + 7) / 8);
    }
    word = Eight<kBits>::unpack(word);
    if (count == 8) {
      std::memcpy(codes, &word, 8);
    } else {
      std::memcpy(codes, &word, count);
    }
    columns -= count;
    codes += 8;
    packed += kBits;
  }
}

// Whether every code is in -2**(bits - 1) ... 2**(bits - 1) - 1.
bool all_fit(const std::int8_t* codes, std::size_t columns, int bits) {
  unsigned beyond = 0;
  for (std::size_t i = 0; i < columns; ++i) beyond |= static_cast<std::uint8_t>(codes[i] + (1 << (bits - 1)));
  return beyond >> bits == 0;
}

constexpr std::size_t kGrainValues = 65536;

std::size_t grain_rows(std::size_t columns) { return kGrainValues / (columns + 1) + 1; }

}  // namespace

void pack_row(const std::int8_t* codes, std::size_t columns, int bits, std::uint8_t* packed) {
  switch (bits) {
    case 2: return pack<2>(codes, columns, packed);
    case 3: return pack<3>(codes, columns, packed);
    case 4: return pack<4>(codes, columns, packed);
    case 5: return pack<5>(codes, columns, packed);
    case 6: return pack<6>(codes, columns, packed);
    case 7: return pack<7>(codes, columns, packed);
    default:
      if (columns > 0) std::memcpy(packed, codes, columns);
  }
}

void unpack_row(const std::uint8_t* packed, std::size_t columns, int bits, std::int8_t* codes) {
  switch (bits) {
    case 2: return unpack<2>(packed, columns, codes);
    case 3: return unpack<3>(packed, columns, codes);
    case 4: return unpack<4>(packed, columns, codes);
    case 5: return unpack<5>(packed, columns, codes);
    case 6: return unpack<6>(packed, columns, codes);
    case 7: return unpack<7>(packed, columns, codes);
    default:
      if (columns > 0) std::memcpy(codes, packed, columns);
  }
}

void pack_codes(MatrixView<const std::int8_t> codes, int bits, MatrixView<std::uint8_t> packed) {
  SmallestIndex bad;
  parallel_ranges(codes.rows, grain_rows(codes.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      if (!all_fit(codes.row(row), codes.cols, bits)) return bad.report(row);
      pack_row(codes.row(row), codes.cols, bits, packed.row(row));
    }
  });
  if (!bad.found()) return;
  const std::int8_t* row = codes.row(bad.get());
  std::size_t column = 0;
  while (column + 1 < codes.cols && all_fit(row + column, 1, bits)) ++column;
  const int half = 1 << (bits - 1);
  throw std::invalid_argument("codes: expected " + std::to_string(-half) + " to " + std::to_string(half - 1) + " for " +
                              std::to_string(bits) + " bits, got " + std::to_string(row[column]) + " at row " +
                              std::to_string(bad.get()) + ", column " + std::to_string(column));
}

void unpack_codes(MatrixView<const std::uint8_t> packed, int bits, MatrixView<std::int8_t> codes) {
  parallel_ranges(codes.rows, grain_rows(codes.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) unpack_row(packed.row(row), codes.cols, bits, codes.row(row));
  });
}

}  // namespace paring
