#include "quantize/activation.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace paring {

QuantizedRow quantize_activation_row(const QuantizeLoops& loops, const float* x, std::size_t n, std::int8_t* codes) {
  if (n == 0) return {1.0f, 0.0f, 0};
  const std::uint32_t largest = loops.abs_max_bits(x, n);
  if (largest >= kInfinityBits) {
    std::memset(codes, 0, n);
    return {std::numeric_limits<float>::quiet_NaN(), 0.0f, 0};
  }
  // In bounds even if somebody writes to x meanwhile; only the answer is theirs to spoil.
  const std::size_t column = std::min(loops.find_magnitude(x, n, largest), n - 1);
  const std::uint32_t rest =
      std::max(loops.abs_max_bits(x, column), loops.abs_max_bits(x + column + 1, n - column - 1));
  const float scale = std::bit_cast<float>(rest) / 127.0f;
  if (scale < kSmallestNormal) {
    std::memset(codes, 0, n);
    return {1.0f, x[column], column};
  }
  loops.quantize(x, n, {scale, 0.0f, 0, -127, 127}, codes);
  codes[column] = 0;
  return {scale, x[column], column};
}

}  // namespace paring
