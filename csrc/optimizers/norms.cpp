#include "optimizers/norms.h"

#include <atomic>
#include <cmath>
#include <vector>

#include "threads/pool.h"

namespace paring {
namespace {

constexpr std::size_t kChunk = 16384;
constexpr std::size_t kGrainChunks = 2;

template <typename Real>
double squares_of(const Real* x, const std::uint8_t* mask, std::size_t n, const StepLoops<Real>& loops) {
  std::vector<double> sums((n + kChunk - 1) / kChunk);
  parallel_ranges(sums.size(), kGrainChunks, [&](std::size_t first, std::size_t last) {
    for (std::size_t c = first; c < last; ++c) {
      const std::size_t begin = c * kChunk, size = n - begin < kChunk ? n - begin : kChunk;
      sums[c] = loops.sum_of_squares(x + begin, mask ? mask + begin : nullptr, size);
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <typename Real>
std::size_t shrink(Real* x, const Groups& shape, double threshold, double factor, const StepLoops<Real>& loops) {
  const auto [outer, groups, inner] = shape;
  std::atomic<std::size_t> zero{0};
  const std::size_t size = outer * inner;
  const std::size_t grain = size == 0 ? groups : (2 * kChunk + size - 1) / size;
  parallel_ranges(groups, grain, [&](std::size_t first, std::size_t last) {
    std::vector<double> factors(last - first);
    const auto over_blocks = [&](const auto& neighbours, const auto& one) {
      for (std::size_t o = 0; o < outer; ++o) {
        Real* block = x + (o * groups + first) * inner;
        if (inner == 1) {
          neighbours(block);
        } else {
          for (std::size_t k = 0; k < factors.size(); ++k) one(block + k * inner, k);
        }
      }
    };
    over_blocks([&](const Real* block) { loops.add_squares(block, factors.size(), factors.data()); },
                [&](const Real* group, std::size_t k) { factors[k] += loops.sum_of_squares(group, nullptr, inner); });
    std::size_t gone = 0;
    for (double& value : factors) {
      const double norm = std::sqrt(value);
      value = norm <= threshold ? 0 : (1 - threshold / norm) * factor;
      gone += value == 0 ? 1 : 0;
    }
    zero += gone;
    over_blocks([&](Real* block) { loops.scale_each(block, factors.size(), factors.data()); },
                [&](Real* group, std::size_t k) { loops.scale(group, inner, factors[k]); });
  });
  return zero;
}

}  // namespace

double sum_of_squares(const float* x, const std::uint8_t* mask, std::size_t n, const OptimizerLoops& loops) {
  return squares_of(x, mask, n, loops.float32);
}
double sum_of_squares(const double* x, const std::uint8_t* mask, std::size_t n, const OptimizerLoops& loops) {
  return squares_of(x, mask, n, loops.float64);
}
std::size_t shrink_groups(float* x, const Groups& shape, double threshold, double factor, const OptimizerLoops& loops) {
  return shrink(x, shape, threshold, factor, loops.float32);
}
std::size_t shrink_groups(double* x, const Groups& shape, double threshold, double factor,
                          const OptimizerLoops& loops) {
  return shrink(x, shape, threshold, factor, loops.float64);
}

}  // namespace paring
