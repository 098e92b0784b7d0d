// Rows of 32-bit words become columns: what interleaves the rows of a tile or a panel.
#pragma once

#include <cstddef>
#include <cstring>

namespace paring {

// Four words, whatever they hold; they may lie anywhere.
using FourWords = float __attribute__((vector_size(16)));

inline FourWords load_words(const void* from) {
  FourWords four;
  std::memcpy(&four, from, sizeof four);
  return four;
}
inline void store_words(void* to, FourWords four) { std::memcpy(to, &four, sizeof four); }

// Word r of row c of `out` is word c of row r of `from`, for 4 rows and 4 columns. Rows are so many bytes apart.
inline void turn_square(const std::byte* from, std::size_t row_bytes, std::byte* out, std::size_t out_bytes) {
  const FourWords a = load_words(from), b = load_words(from + row_bytes), c = load_words(from + 2 * row_bytes),
                  d = load_words(from + 3 * row_bytes);
  const FourWords ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                  ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const FourWords cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
                  cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store_words(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store_words(out + out_bytes, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store_words(out + 2 * out_bytes, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store_words(out + 3 * out_bytes, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

// The same for all rows and columns.
inline void turn_words(const void* from, std::size_t rows, std::size_t columns, std::size_t row_bytes, void* out,
                       std::size_t out_bytes) {
  constexpr std::size_t kWord = 4, kColumnsAtATime = 32;  // what is written meanwhile stays in a first-level cache
  const auto* source = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(out);
  const std::size_t squares = rows / 4 * 4, steps = columns / 4 * 4;
  for (std::size_t begin = 0; begin < steps; begin += kColumnsAtATime) {
    const std::size_t end = begin + kColumnsAtATime < steps ? begin + kColumnsAtATime : steps;
    for (std::size_t r = 0; r < squares; r += 4)
      for (std::size_t c = begin; c < end; c += 4)
        turn_square(source + r * row_bytes + c * kWord, row_bytes, target + c * out_bytes + r * kWord, out_bytes);
  }
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = r < squares ? steps : 0; c < columns; ++c)
      std::memcpy(target + c * out_bytes + r * kWord, source + r * row_bytes + c * kWord, kWord);
}

}  // namespace paring
