// A quantized weight as files hold it, owned by somebody else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/matrix_view.h"

namespace paring {

// Rows of codes by quantize/codes.h: w = (code - zero_point) * scale.
struct QuantizedView {
  MatrixView<const std::uint8_t> data;  // rows of packed codes; at 8 bits the codes' bytes
  std::size_t columns = 0;
  int bits = 8;
  std::size_t group_size = 0;                // columns that share a scale; 0 for the whole row
  bool per_tensor = false;                   // one scale for all: scales and zero_points have one element
  const float* scales = nullptr;             // (n, groups)
  const std::int8_t* zero_points = nullptr;  // (n, groups), or null for zeros
};

// Scales of a row whose groups have `group_size` columns; 0 for one group.
constexpr std::size_t group_count(std::size_t columns, std::size_t group_size) {
  return group_size == 0 ? 1 : columns / group_size + (columns % group_size != 0 ? 1 : 0);
}

}  // namespace paring
