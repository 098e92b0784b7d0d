// Floating-point elements as bits. The key of an element is its bits without the sign: as an integer it orders like
// the magnitude, zero is 0, and from the key of infinity on it is infinity or NaN.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace paring {

enum class ElementKind : std::uint8_t { kFloat16, kBfloat16, kFloat32, kFloat64 };

// "float16", "bfloat16", "float32" or "float64"; throws std::invalid_argument for anything else.
ElementKind element_kind_named(const std::string& name);
const char* element_kind_name(ElementKind kind);

constexpr std::size_t element_bytes(ElementKind kind) {
  switch (kind) {
    case ElementKind::kFloat16:
    case ElementKind::kBfloat16: return 2;
    case ElementKind::kFloat32: return 4;
    case ElementKind::kFloat64: return 8;
  }
  return 8;
}

constexpr int key_bits(ElementKind kind) { return static_cast<int>(8 * element_bytes(kind)) - 1; }

constexpr std::uint64_t infinity_key(ElementKind kind) {
  switch (kind) {
    case ElementKind::kFloat16: return 0x7c00;
    case ElementKind::kBfloat16: return 0x7f80;
    case ElementKind::kFloat32: return 0x7f800000;
    case ElementKind::kFloat64: return 0x7ff0000000000000;
  }
  return 0;
}

// Elements of an array somebody else owns, in row-major order.
struct Elements {
  ElementKind kind;
  const void* data;
  std::size_t size;
};

// Calls function(Word()) with the signed integer as wide as an element.
template <typename Function>
decltype(auto) with_word(ElementKind kind, const Function& function) {
  switch (element_bytes(kind)) {
    case 2: return function(std::int16_t{});
    case 4: return function(std::int32_t{});
    default: return function(std::int64_t{});
  }
}

template <typename Word>
constexpr Word key_of(Word word) {
  return static_cast<Word>(word & static_cast<Word>(~(Word{1} << (8 * sizeof(Word) - 1))));
}

// The float64 key of the same value; infinity and NaN give the key of infinity.
inline std::uint64_t wide_key(ElementKind kind, std::uint64_t key) {
  if (key >= infinity_key(kind)) return infinity_key(ElementKind::kFloat64);
  switch (kind) {
    // The exponent's bias grows from 15 to 1023; a denormal is normalized by the multiplication.
    case ElementKind::kFloat16: return std::bit_cast<std::uint64_t>(std::bit_cast<double>(key << 42) * 0x1p1008);
    case ElementKind::kBfloat16: key <<= 16; [[fallthrough]];
    case ElementKind::kFloat32:
      return std::bit_cast<std::uint64_t>(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(key))));
    case ElementKind::kFloat64: return key;
  }
  return key;
}

}  // namespace paring
