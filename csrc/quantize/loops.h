// The elementwise loops of quantization, written once (loops.inl) and compiled per instruction set. Every loop gives
// the same bytes in each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

// Codes are clamp(round_half_even(w / scale + before), low - after, high - after) + after.
// `before` adds a zero point before rounding (compressed-tensors), `after` adds it after (ONNX). One of them is 0.
struct CodeRule {
  float scale;
  float before;
  std::int32_t after;
  std::int32_t low;   // -128 or more
  std::int32_t high;  // 127 or less
};

struct QuantizeLoops {
  const char* name;
  FeatureSet needs;

  // The largest |w| as its bits, whose order is NaN > infinity > finite. 0 for n = 0.
  std::uint32_t (*abs_max_bits)(const float* w, std::size_t n);

  // The two largest |w| as their bits, equal if it occurs twice. 0 for what is not there.
  void (*largest_two)(const float* w, std::size_t n, std::uint32_t* largest, std::uint32_t* second);

  // The first index whose |w| has these bits; n if none has.
  std::size_t (*find_magnitude)(const float* w, std::size_t n, std::uint32_t bits);

  // Smallest and largest w as keys in the order of float_key (below): NaN sorts outside infinity on either side.
  void (*range_keys)(const float* w, std::size_t n, std::int32_t* smallest, std::int32_t* largest);

  // Finite w only. scale is not 0.
  void (*quantize)(const float* w, std::size_t n, CodeRule rule, std::int8_t* codes);

  // round_half_even(w * inverse), of products within -127.5 ... 127.5; what others become is not defined.
  void (*round_products)(const float* w, std::size_t n, float inverse, std::int8_t* codes);

  // clamp(round_half_even(w * inverse) + zero_point, -128, 127), NaN becoming -128.
  void (*round_to_codes)(const float* w, std::size_t n, float inverse, std::int32_t zero_point, std::int8_t* codes);

  // (code - zero_point) * scale
  void (*dequantize)(const std::int8_t* codes, std::size_t n, float scale, std::int32_t zero_point, float* w);

  // Sum of codes; n <= 2**24.
  std::int32_t (*sum)(const std::int8_t* codes, std::size_t n);
};

// Best first; the last needs nothing.
std::span<const QuantizeLoops> quantize_loops();

extern const QuantizeLoops kQuantizeLoopsScalar, kQuantizeLoopsAvx2, kQuantizeLoopsAvx512;

// Bits of positive infinity: abs_max_bits at or above it means NaN or infinity.
inline constexpr std::uint32_t kInfinityBits = 0x7f800000;

// The smallest normal float32: scales below it are not used (see quantize.h).
inline constexpr float kSmallestNormal = 0x1p-126f;

// Maps float bits to integers of the same order (and back: it is its own inverse).
constexpr std::int32_t float_key(std::int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

}  // namespace paring
