// The elementwise loops of pruning, written once (loops.inl) and compiled per instruction set. Every loop gives the
// same bytes in each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

// Loops over elements of one width, seen as bits. Word is signed because SSE2 compares signed integers only; with the
// sign bit cleared, a word is the key of the element's magnitude, and keys order as magnitudes do (prune/element.h).
template <typename Word>
struct PruneWordLoops {
  // The largest key, 0 for n = 0.
  Word (*largest_key)(const Word* w, std::size_t n);

  // out[i] = key(w[i]) < limit ? +0 : w[i]. Returns how many went. `out` is `w` or does not overlap it.
  std::size_t (*zero_below)(const Word* w, std::size_t n, Word limit, Word* out);

  // How many keys equal `key`.
  std::size_t (*count_equal)(const Word* w, std::size_t n, Word key);

  // In each run of 4, keeps the `keep` largest keys, of equal ones the later, and zeroes the rest.
  // `out` is `w` or does not overlap it.
  void (*keep_of_4)(const Word* w, std::size_t runs, int keep, Word* out);
};

// Sums in float64, as 16 running sums (element i in sum i % 16) that are added in halves at the end: the order of
// additions is the same for every instruction set.
template <typename Real>
struct MomentLoops {
  double (*sum)(const Real* w, std::size_t n);
  double (*sum_of_squares)(const Real* w, std::size_t n, double center);  // of w[i] - center
};

struct PruneLoops {
  const char* name;
  FeatureSet needs;
  PruneWordLoops<std::int16_t> words16;
  PruneWordLoops<std::int32_t> words32;
  PruneWordLoops<std::int64_t> words64;
  MomentLoops<float> moments32;
  MomentLoops<double> moments64;
};

// Best first; the last needs nothing.
std::span<const PruneLoops> prune_loops();

extern const PruneLoops kPruneLoopsScalar, kPruneLoopsAvx2, kPruneLoopsAvx512;

}  // namespace paring
