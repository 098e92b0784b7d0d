// A case of tests/neon_vectors.py: a layer, its input and the bytes that must come out. All numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <stdexcept>
#include <vector>

namespace neon {

enum class Kind : std::int64_t { kCodes, kFloats, kSparseCodes, kSparseFloats, kCodesAsFloats };

template <typename T>
T read_number(std::istream& from) {
  T value;
  if (!from.read(reinterpret_cast<char*>(&value), sizeof value)) throw std::runtime_error("the vectors end too early");
  return value;
}

// Length in bytes, then the elements; nothing is an empty array.
template <typename T>
std::vector<T> read_array(std::istream& from) {
  std::vector<T> values(static_cast<std::size_t>(read_number<std::int64_t>(from)) / sizeof(T));
  const auto bytes = static_cast<std::streamsize>(values.size() * sizeof(T));
  if (bytes > 0 && !from.read(reinterpret_cast<char*>(values.data()), bytes))
    throw std::runtime_error("the vectors end too early");
  return values;
}

template <typename T>
const T* or_null(const std::vector<T>& values) {
  return values.empty() ? nullptr : values.data();
}

struct Case {
  Kind kind;
  std::int64_t m, n, k, bits, group_size, activation;
  std::vector<float> x;  // (m, k), or empty where there are codes
  std::vector<std::int8_t> x_codes;
  std::vector<float> x_scale;       // of the codes
  std::vector<std::uint8_t> codes;  // rows of packed codes, dense or sparse values
  std::vector<float> weight;        // (n, k), or the sparse values
  std::vector<float> scales;
  std::vector<std::int8_t> zero_points;
  std::vector<float> bias;
  std::vector<std::int32_t> indices, indptr;  // sparse only
  std::vector<float> residual;                // (m, n), or empty
  std::vector<float> y_scale;                 // of outputs that are codes, or empty
  std::vector<float> expected;                // (m, n), codes as numbers
};

inline Case read_case(std::istream& from) {
  Case c;
  c.kind = static_cast<Kind>(read_number<std::int64_t>(from));
  for (std::int64_t* number : {&c.m, &c.n, &c.k, &c.bits, &c.group_size, &c.activation})
    *number = read_number<std::int64_t>(from);
  c.x = read_array<float>(from);
  c.x_codes = read_array<std::int8_t>(from);
  c.x_scale = read_array<float>(from);
  c.codes = read_array<std::uint8_t>(from);
  c.weight = read_array<float>(from);
  c.scales = read_array<float>(from);
  c.zero_points = read_array<std::int8_t>(from);
  c.bias = read_array<float>(from);
  c.indices = read_array<std::int32_t>(from);
  c.indptr = read_array<std::int32_t>(from);
  c.residual = read_array<float>(from);
  c.y_scale = read_array<float>(from);
  c.expected = read_array<float>(from);
  return c;
}

}  // namespace neon
