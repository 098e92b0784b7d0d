#include "products/operand.h"

#include <algorithm>
#include <cstring>

namespace paring {
namespace {

// Four floats, wherever they lie.
using Four = float __attribute__((vector_size(16)));

inline Four load(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}
inline void store(float* to, Four four) { std::memcpy(to, &four, sizeof four); }

// out[k * width + i] for 4 rows i and 4 steps k.
inline void turn_square(const float* from, std::size_t row_stride, float* out, std::size_t width) {
  const Four a = load(from), b = load(from + row_stride), c = load(from + 2 * row_stride),
             d = load(from + 3 * row_stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(out, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store(out + width, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store(out + 2 * width, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store(out + 3 * width, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

void turn(const Operand& a, std::size_t width, float* out) {
  const std::size_t rows = a.rows / 4 * 4, steps = a.cols / 4 * 4;
  for (std::size_t i = 0; i < rows; i += 4)
    for (std::size_t k = 0; k < steps; k += 4)
      turn_square(a.data + i * a.row_stride + k, a.row_stride, out + k * width + i, width);
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t k = i < rows ? steps : 0; k < a.cols; ++k) out[k * width + i] = a.data[i * a.row_stride + k];
}

void copy(const Operand& a, std::size_t width, float* out) {
  const std::size_t fours = a.rows / 4 * 4;
  for (std::size_t k = 0; k < a.cols; ++k, out += width) {
    const float* from = a.data + k * a.col_stride;
    for (std::size_t i = 0; i < fours; i += 4) store(out + i, load(from + i));
    for (std::size_t i = fours; i < a.rows; ++i) out[i] = from[i];
  }
}

}  // namespace

void interleave_rows(const Operand& a, std::size_t width, float* out) {
  if (a.row_stride == 1) {
    copy(a, width, out);
  } else if (a.col_stride == 1) {
    turn(a, width, out);
  } else {
    for (std::size_t k = 0; k < a.cols; ++k)
      for (std::size_t i = 0; i < a.rows; ++i) out[k * width + i] = a.data[i * a.row_stride + k * a.col_stride];
  }
  for (std::size_t k = 0; a.rows < width && k < a.cols; ++k)
    std::fill_n(out + k * width + a.rows, width - a.rows, 0.0f);
}

}  // namespace paring
