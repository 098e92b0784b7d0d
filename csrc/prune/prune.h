// Magnitude pruning. What stays is copied bit for bit, what goes becomes +0.
//
// All functions refuse NaN and infinity: std::invalid_argument that names the first one's index. `out` has as many
// elements as the weight and is the weight itself, which a refusal then leaves as it was, or does not overlap it; its
// content after a refusal is undefined. Results do not depend on threads or instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "prune/element.h"
#include "prune/loops.h"

namespace paring {

// Zeroes every element whose key is below `limit` (at most the key of infinity), that is every |w| < threshold where
// `limit` is the key of the smallest element not below the threshold. Returns how many, those already zero included.
std::size_t prune_below(const Elements& weight, std::uint64_t limit, void* out, const PruneLoops& loops);

// In each run of m elements keeps the n of largest magnitude; of equal ones the earlier go first. Runs do not cross
// rows: the caller has checked that m divides the columns, 0 < m and n <= m.
void prune_n_of_m(const Elements& weight, std::size_t n, std::size_t m, void* out, const PruneLoops& loops);

template <typename Word>
const PruneWordLoops<Word>& word_loops(const PruneLoops& loops) {
  if constexpr (sizeof(Word) == 2) {
    return loops.words16;
  } else if constexpr (sizeof(Word) == 4) {
    return loops.words32;
  } else {
    return loops.words64;
  }
}

}  // namespace paring
