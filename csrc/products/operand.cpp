#include "products/operand.h"

#include <algorithm>

#include "pack/turn.h"

namespace paring {
namespace {

void copy(const Operand& a, std::size_t width, float* out) {
  const std::size_t fours = a.rows / 4 * 4;
  for (std::size_t k = 0; k < a.cols; ++k, out += width) {
    const float* from = a.data + k * a.col_stride;
    for (std::size_t i = 0; i < fours; i += 4) store_words(out + i, load_words(from + i));
    for (std::size_t i = fours; i < a.rows; ++i) out[i] = from[i];
  }
}

}  // namespace

void interleave_rows(const Operand& a, std::size_t width, float* out) {
  if (a.row_stride == 1) {
    copy(a, width, out);
  } else if (a.col_stride == 1) {
    turn_words(a.data, a.rows, a.cols, a.row_stride * sizeof(float), out, width * sizeof(float));
  } else {
    for (std::size_t k = 0; k < a.cols; ++k)
      for (std::size_t i = 0; i < a.rows; ++i) out[k * width + i] = a.data[i * a.row_stride + k * a.col_stride];
  }
  for (std::size_t k = 0; a.rows < width && k < a.cols; ++k)
    std::fill_n(out + k * width + a.rows, width - a.rows, 0.0f);
}

}  // namespace paring
