#include <algorithm>
#include <vector>

#include "quantize/codes.h"
#include "quantize/quantize.h"
#include "quantize/quantized_view.h"
#include "threads/pool.h"

namespace paring {

void dequantize_weight(const QuantizedView& weight, MatrixView<float> out, const QuantizeLoops& loops) {
  const std::size_t columns = weight.columns, groups = group_count(columns, weight.group_size);
  const std::size_t group_size = weight.group_size == 0 ? columns : weight.group_size;
  parallel_ranges(out.rows, kGrainValues / (columns + 1) + 1, [&](std::size_t begin, std::size_t end) {
    std::vector<std::int8_t> scratch(weight.bits == 8 ? 0 : columns);
    for (std::size_t row = begin; row < end; ++row) {
      const std::uint8_t* packed = weight.data.row(row);
      const std::int8_t* codes = reinterpret_cast<const std::int8_t*>(packed);
      if (weight.bits != 8) {
        unpack_row(packed, columns, weight.bits, scratch.data());
        codes = scratch.data();
      }
      for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t first = g * group_size, size = std::min(group_size, columns - first);
        const std::size_t source = weight.per_tensor ? 0 : row * groups + g;
        const std::int32_t zero_point = weight.zero_points ? weight.zero_points[source] : 0;
        loops.dequantize(codes + first, size, weight.scales[source], zero_point, out.row(row) + first);
      }
    }
  });
}

}  // namespace paring
