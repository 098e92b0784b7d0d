#include "prune/moments.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "threads/pool.h"

namespace paring {
namespace {

constexpr std::size_t kChunk = 16384;

// The sum over chunks of sum_chunk(begin, size), added in order.
template <typename Sum>
double sum_in_order(std::size_t n, const Sum& sum_chunk) {
  std::vector<double> sums((n + kChunk - 1) / kChunk);
  parallel_ranges(sums.size(), 2, [&](std::size_t first, std::size_t last) {
    for (std::size_t c = first; c < last; ++c) {
      const std::size_t begin = c * kChunk;
      sums[c] = sum_chunk(begin, n - begin < kChunk ? n - begin : kChunk);
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <typename Real>
Moments moments_of(const Real* w, std::size_t n, const MomentLoops<Real>& loops) {
  if (n == 0) return {0, 0};
  const auto count = static_cast<double>(n);
  const double mean =
      sum_in_order(n, [&](std::size_t begin, std::size_t size) { return loops.sum(w + begin, size); }) / count;
  if (!std::isfinite(mean)) {
    for (std::size_t i = 0; i < n; ++i) {
      if (!std::isfinite(w[i])) throw std::invalid_argument("weight: NaN or infinity at index " + std::to_string(i));
    }
  }
  const double squares =
      sum_in_order(n, [&](std::size_t begin, std::size_t size) { return loops.sum_of_squares(w + begin, size, mean); });
  return {mean, std::sqrt(squares / count)};
}

}  // namespace

Moments moments(const float* w, std::size_t n, const PruneLoops& loops) { return moments_of(w, n, loops.moments32); }
Moments moments(const double* w, std::size_t n, const PruneLoops& loops) { return moments_of(w, n, loops.moments64); }

}  // namespace paring
