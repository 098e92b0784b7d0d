// Plain loops for the compiler to vectorize. Reductions run over integers, where the order of operations is free.
#include "quantize/loops.h"

namespace {

std::uint32_t bits_of(float value) { return __builtin_bit_cast(std::uint32_t, value); }

std::uint32_t abs_max_bits(const float* w, std::size_t n) {
  std::int32_t largest = 0;  // signed: the sign bit is cleared, and SSE2 has no unsigned maximum
  for (std::size_t i = 0; i < n; ++i) {
    const auto magnitude = static_cast<std::int32_t>(bits_of(w[i]) & 0x7fffffffu);
    largest = magnitude > largest ? magnitude : largest;
  }
  return static_cast<std::uint32_t>(largest);
}

std::size_t find_magnitude(const float* w, std::size_t n, std::uint32_t bits) {
  constexpr std::size_t kBlock = 64;
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    std::uint32_t found = 0;
    for (std::size_t j = 0; j < kBlock; ++j) found |= (bits_of(w[i + j]) & 0x7fffffffu) == bits ? 1u : 0u;
    if (found != 0) break;
  }
  while (i < n && (bits_of(w[i]) & 0x7fffffffu) != bits) ++i;
  return i;
}

void range_keys(const float* w, std::size_t n, std::int32_t* smallest, std::int32_t* largest) {
  std::int32_t low = INT32_MAX, high = INT32_MIN;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t key = paring::float_key(static_cast<std::int32_t>(bits_of(w[i])));
    low = key < low ? key : low;
    high = key > high ? key : high;
  }
  *smallest = low;
  *largest = high;
}

void quantize(const float* w, std::size_t n, paring::CodeRule rule, std::int8_t* codes) {
  const float scale = rule.scale, before = rule.before;
  const auto low = static_cast<float>(rule.low - rule.after), high = static_cast<float>(rule.high - rule.after);
  // Adding 1.5 * 2**23 rounds half to even and leaves the integer in the low bits of the significand.
  const float magic = 12582912.0f;
  for (std::size_t i = 0; i < n; ++i) {
    float v = w[i] / scale + before;
    v = v < low ? low : v;
    v = v > high ? high : v;
    codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(bits_of(v + magic)) + rule.after);
  }
}

void dequantize(const std::int8_t* codes, std::size_t n, float scale, std::int32_t zero_point, float* w) {
  for (std::size_t i = 0; i < n; ++i) w[i] = static_cast<float>(codes[i] - zero_point) * scale;
}

void dequantize_words(const std::uint32_t* words, std::size_t n, unsigned shift, std::uint32_t mask,
                      const std::int32_t* zero_points, const float* scales, float* w) {
  for (std::size_t i = 0; i < n; ++i)
    w[i] = static_cast<float>(static_cast<std::int32_t>((words[i] >> shift) & mask) - zero_points[i]) * scales[i];
}

std::int32_t sum(const std::int8_t* codes, std::size_t n) {
  std::int32_t total = 0;
  for (std::size_t i = 0; i < n; ++i) total += codes[i];
  return total;
}

}  // namespace
