// Magnitude pruning to an exact count, over one weight or a whole model, without sorting.
//
// How: magnitudes are integers (prune/element.h), so a histogram of their leading 11 bits tells which bucket the
// count-th smallest lies in; the same over the next bits of that bucket's elements, until the bits are used up or the
// bucket is small enough to be copied out. Most weights are read three times in all: to count, to copy out a few
// percent of the keys, to write. Everything below the magnitude found goes, and of the elements equal to it as many as
// are missing, the earlier first: earlier array, then earlier index.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "prune/cut.h"
#include "prune/element.h"
#include "prune/loops.h"

namespace paring {

// What pruning to a count means for each weight, so that they can be written one at a time, later, or elsewhere.
struct Selection {
  Cut cut;
  std::vector<std::size_t> equal;  // one a weight: how many of its elements at the cut go, the first of them
};

// Finds the `count` elements of smallest magnitude over all weights; reads only. Weights of different kinds are
// compared by value. Throws std::invalid_argument for NaN or infinity (the first one is named), and for a count beyond
// the number of elements.
Selection select_smallest(std::span<const Elements> weights, std::size_t count, const PruneLoops& loops);

// Writes one weight of a selection: its elements below the cut become zero, and the first cut.equal of those at it.
// Returns how many went. `out` is the data of the weight or does not overlap it. Infinity and NaN stay.
std::size_t prune_selected(const Elements& weight, const Cut& cut, void* out, const PruneLoops& loops);

// Zeroes exactly `count` elements over all weights, those of smallest magnitude, and copies the others to `outs`;
// elements that are zero already are the smallest. Weights of different kinds are compared by value. Returns how many
// went in each weight. outs[i] is the data of weights[i] or does not overlap any weight.
// Throws std::invalid_argument before anything is written: for NaN or infinity (the first one is named), and for a
// count beyond the number of elements. The result does not depend on threads or instruction set.
std::vector<std::size_t> prune_smallest(std::span<const Elements> weights, std::size_t count,
                                        std::span<void* const> outs, const PruneLoops& loops);

}  // namespace paring
