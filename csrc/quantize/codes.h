// How codes of fewer than eight bits lie in memory: a row is a little-endian bit stream of code + 2**(bits - 1), padded
// with zero bits to whole 32-bit words. At four bits that is two codes a byte, the first in the low nibble.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/matrix_view.h"

namespace paring {

constexpr std::size_t packed_row_bytes(std::size_t columns, int bits) {
  return bits == 8 ? columns : (columns * static_cast<std::size_t>(bits) + 31) / 32 * 4;
}

// bits 2 to 8; at 8 the codes are the bytes. `packed` has packed_row_bytes(columns, bits) bytes.
void pack_row(const std::int8_t* codes, std::size_t columns, int bits, std::uint8_t* packed);
void unpack_row(const std::uint8_t* packed, std::size_t columns, int bits, std::int8_t* codes);

// The same for all rows, on all threads. pack_codes throws std::invalid_argument naming row and column of the first
// code that so many bits do not hold; `packed` is undefined then.
void pack_codes(MatrixView<const std::int8_t> codes, int bits, MatrixView<std::uint8_t> packed);
void unpack_codes(MatrixView<const std::uint8_t> packed, int bits, MatrixView<std::int8_t> codes);

}  // namespace paring
