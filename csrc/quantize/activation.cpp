#include "quantize/activation.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace paring {

QuantizedRow quantize_activation_row(const QuantizeLoops& loops, const float* x, std::size_t n, std::int8_t* codes) {
  if (n == 0) return {1.0f, 0.0f, 0};
  // Part by part, so that the largest need not be looked for in all of them.
  constexpr std::size_t kPart = 512;
  std::uint32_t largest = 0, rest = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < n; i += kPart) {
    std::uint32_t first = 0, second = 0;
    loops.largest_two(x + i, std::min(kPart, n - i), &first, &second);
    if (first > largest) {
      rest = std::max(largest, second);
      largest = first;
      start = i;
    } else {
      rest = std::max(rest, first);
    }
  }
  if (largest >= kInfinityBits) {
    std::memset(codes, 0, n);
    return {std::numeric_limits<float>::quiet_NaN(), 0.0f, 0};
  }
  // In bounds even if somebody writes to x meanwhile; only the answer is theirs to spoil.
  const std::size_t column = std::min(start + loops.find_magnitude(x + start, n - start, largest), n - 1);
  const float scale = std::bit_cast<float>(rest) / 127.0f;
  if (scale < kSmallestNormal) {
    std::memset(codes, 0, n);
    return {1.0f, x[column], column};
  }
  loops.round_products(x, n, 1.0f / scale, codes);
  codes[column] = 0;
  return {scale, x[column], column};
}

QuantizedRow quantize_static_row(const QuantizeLoops& loops, StaticScale scale, const float* x, std::size_t n,
                                 std::int8_t* codes) {
  if (loops.abs_max_bits(x, n) >= kInfinityBits) {
    std::memset(codes, 0, n);
    return {std::numeric_limits<float>::quiet_NaN(), 0.0f, 0};
  }
  loops.round_to_codes(x, n, 1.0f / scale.scale, scale.zero_point, codes);
  return {scale.scale, 0.0f, 0};
}

}  // namespace paring
