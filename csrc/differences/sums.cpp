#include "differences/sums.h"

#include <cmath>
#include <vector>

#include "threads/pool.h"

namespace paring {
namespace {

constexpr std::size_t kChunk = 16384;
constexpr std::size_t kGrainChunks = 2;

template <typename A, typename B>
DifferenceSums sums_of(const A* a, const B* b, std::size_t n,
                       DifferenceSums (*compare)(const A*, const B*, std::size_t)) {
  std::vector<DifferenceSums> chunks((n + kChunk - 1) / kChunk);
  parallel_ranges(chunks.size(), kGrainChunks, [&](std::size_t first, std::size_t last) {
    for (std::size_t c = first; c < last; ++c) {
      const std::size_t begin = c * kChunk;
      chunks[c] = compare(a + begin, b + begin, n - begin < kChunk ? n - begin : kChunk);
    }
  });
  DifferenceSums all;
  for (const DifferenceSums& chunk : chunks) {
    all.largest = chunk.largest > all.largest ? chunk.largest : all.largest;
    all.total += chunk.total;
    all.noise += chunk.noise;
    all.signal += chunk.signal;
    all.zeros += chunk.zeros;
  }
  if (std::isnan(all.total)) all.largest = all.total;  // no sum of magnitudes is NaN unless one of them is
  return all;
}

}  // namespace

DifferenceSums difference_sums(const float* a, const float* b, std::size_t n, const DifferenceLoops& loops) {
  return sums_of(a, b, n, loops.floats);
}
DifferenceSums difference_sums(const double* a, const float* b, std::size_t n, const DifferenceLoops& loops) {
  return sums_of(a, b, n, loops.mixed);
}
DifferenceSums difference_sums(const double* a, const double* b, std::size_t n, const DifferenceLoops& loops) {
  return sums_of(a, b, n, loops.doubles);
}

}  // namespace paring
