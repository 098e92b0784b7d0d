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

#include "prune/element.h"
#include "prune/loops.h"

namespace paring {

// Zeroes exactly `count` elements over all weights, those of smallest magnitude, and copies the others to `outs`;
// elements that are zero already are the smallest. Weights of different kinds are compared by value. Returns how many
// went in each weight. outs[i] is the data of weights[i] or does not overlap any weight.
// Throws std::invalid_argument before anything is written: for NaN or infinity (the first one is named), and for a
// count beyond the number of elements. The result does not depend on threads or instruction set.
std::vector<std::size_t> prune_smallest(std::span<const Elements> weights, std::size_t count,
                                        std::span<void* const> outs, const PruneLoops& loops);

}  // namespace paring
