// How a row of activations becomes int8 on its way into an integer kernel, dense or sparse:
//
//   The value of largest magnitude (the first of equals) is kept in float32; its code is 0.
//   Of the others, scale = max|x| / 127 and code = round_half_even(x * (1 / scale)), in -127 ... 127.
//
// so that x = code * scale, plus the exact value in its column. A single large value is what ruins a scale: in
// transformers the largest of a row is often 5 to 17 times its root mean square. Keeping one costs a multiply-add an
// output and quarters the error there; mixed-precision decomposition (Dettmers et al., "LLM.int8()", arXiv 2208.07339,
// section 3.2) keeps whole columns instead, by a threshold.
//
// If the others are all zero, or their scale would be denormal, the scale is 1 and all codes are 0. A row with NaN or
// infinity has scale NaN, codes 0 and the exact value 0, so that its whole output is NaN.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quantize/loops.h"

namespace paring {

struct QuantizedRow {
  float scale;
  float exact_value;
  std::size_t exact_column;  // 0 for an empty row
};

// One scale for all rows, known before they come (post-training calibration, or an int8 input):
// code = clamp(round_half_even(x * (1 / scale)) + zero_point, -128, 127). No value is kept apart. The zero
// point is a matter of the bias: sum (code - zero_point) * w = sum code * w - zero_point * sum w.
struct StaticScale {
  float scale;  // normal, positive, finite
  std::int32_t zero_point;
};

// A row with NaN or infinity as above.
QuantizedRow quantize_static_row(const QuantizeLoops& loops, StaticScale scale, const float* x, std::size_t n,
                                 std::int8_t* codes);

QuantizedRow quantize_activation_row(const QuantizeLoops& loops, const float* x, std::size_t n, std::int8_t* codes);

}  // namespace paring
