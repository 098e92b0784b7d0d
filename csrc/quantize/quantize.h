// What each scheme of quantization means. A weight is a matrix with output channels as rows; a scale belongs to the
// whole matrix, to a row, or to a group of consecutive columns of a row (the last group may be short). Always
//
//   w = (code - zero_point) * scale          one float32 rounding, as ONNX DequantizeLinear
//
// with codes of `bits` bits, low = -2**(bits - 1) to high = 2**(bits - 1) - 1. All arithmetic is float32, divisions
// are divisions, rounding is half to even. `min` and `max` are those of the elements that share the scale, widened to
// contain 0; amax = max(-min, max).
//
// Convention "paring":
//   symmetric, 8 bits   scale = amax / 127, codes -127 to 127 (ONNX Runtime and GGUF Q8_0 choose the same scale)
//   symmetric, fewer    scale = (the element of magnitude amax) / low, the negative one where both signs have it;
//                       negative scales occur, and all codes are used (as GGUF Q4_0)
//   asymmetric          scale = (max - min) / (high - low) computed in float64, which cannot overflow, and rounded
//                       zero_point = clamp(round(low - min / scale), low, high)
//   A scale of magnitude under the smallest normal float32 (a zero or denormal channel) becomes 1, zero point 0.
//   code = clamp(round(w / scale) + zero_point, low, high), as ONNX QuantizeLinear: 0 has code zero_point.
//   Every code decodes to a finite value: where rounding next to the largest float32 would not, a symmetric scale is
//   one step smaller, or codes at the ends are not used.
//
// Convention "compressed-tensors", that library's calculate_qparams and quantize:
//   symmetric           scale = amax / ((high - low) / 2), that is amax / 127.5 at 8 bits, amax / 7.5 at 4
//   asymmetric          scale = (max - min) / (high - low) in float32 (in float64 where the difference overflows)
//                       zero_point = round(clamp(low - min / scale, low, high))
//   A scale of 0 becomes 2**-23 (float32 epsilon), zero point 0.
//   code = round(clamp(w / scale + zero_point, low, high))
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/matrix_view.h"
#include "quantize/loops.h"
#include "quantize/quantized_view.h"

namespace paring {

enum class Convention : std::uint8_t { kParing, kCompressedTensors };

struct QuantizeScheme {
  int bits;  // 2 to 8
  bool symmetric;
  Convention convention;
};

// What elements with one scale share.
struct Grid {
  float scale;
  std::int8_t zero_point;
  CodeRule rule;
};

// `smallest` and `largest` are finite and need not contain 0 between them.
Grid grid_of_range(const QuantizeScheme& scheme, float smallest, float largest);

struct QuantizeRequest {
  MatrixView<const float> weight;  // contiguous
  QuantizeScheme scheme;
  bool per_tensor;                // one scale for all; group_size is 0
  std::size_t group_size;         // columns that share a scale; 0 for the whole row
  MatrixView<std::uint8_t> data;  // (rows, packed_row_bytes(columns, bits)), see quantize/codes.h
  float* scales;                  // (1, 1), or (rows, groups) with groups = group_count(columns, group_size)
  std::int8_t* zero_points;       // of the shape of scales; may be null
};

// Values for which one more thread pays.
inline constexpr std::size_t kGrainValues = 16384;

// Fills data, scales and zero_points. Each row is read from memory once: range, codes and packing happen while it is
// in the cache (twice if per_tensor). A group without elements has scale 1. Throws std::invalid_argument naming row
// and column of the first NaN or infinity; the outputs are undefined then.
void quantize_weight(const QuantizeRequest& request, const QuantizeLoops& loops);

// out = (code - zero_point) * scale
void dequantize_weight(const QuantizedView& weight, MatrixView<float> out, const QuantizeLoops& loops);

// Smallest and largest element of each group, (rows, groups); 0 and 0 for a group without elements. -0 is smaller than
// 0. Throws as quantize_weight.
void group_ranges(MatrixView<const float> weight, std::size_t group_size, float* smallest, float* largest,
                  const QuantizeLoops& loops);

}  // namespace paring
