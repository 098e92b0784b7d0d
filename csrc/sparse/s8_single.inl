// One row of x: integer sums may be taken in any order, so a plain loop leaves the overlap to the processor.
#include "sparse/kernel.h"

namespace {

// X is the element of x, Code that of w.
template <typename Code, typename X>
void s8_single_row(const paring::SparseTask& task) {
  const auto* x = static_cast<const X*>(task.x);
  const auto* codes = static_cast<const Code*>(task.values);
  const auto* columns = static_cast<const std::uint16_t*>(task.columns);
  for (std::size_t r = 0; r < task.rows; ++r) {
    std::int32_t sum = task.corrections ? -task.corrections[r] : 0;
    std::int32_t odd = 0;
    for (std::size_t e = task.starts[r]; e < task.starts[r + 1]; e += 2) {
      sum += codes[e] * x[columns[e]];
      odd += codes[e + 1] * x[columns[e + 1]];
      __asm__("" : "+r"(sum), "+r"(odd));  // keeps compilers from vectorizing: gathers made of inserts are slower
    }
    task.sums[r] = __builtin_fmaf(static_cast<float>(sum + odd), task.scales[r], 0.0f);
  }
}

}  // namespace
