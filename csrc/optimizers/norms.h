// Norms for clipping and for the group lasso: sums in double, in an order that neither threads nor instruction sets
// change.
#pragma once

#include <cstddef>
#include <cstdint>

#include "optimizers/loops.h"

namespace paring {

// The sum of squares of the elements whose mask is not 0, of all for a null mask. Chunks of a fixed size are summed by
// the lanes of optimizers/loops.h and added in order.
double sum_of_squares(const float* x, const std::uint8_t* mask, std::size_t n, const OptimizerLoops& loops);
double sum_of_squares(const double* x, const std::uint8_t* mask, std::size_t n, const OptimizerLoops& loops);

// An array of shape (outer, groups, inner), row-major; group k is all elements with that middle index.
struct Groups {
  std::size_t outer, groups, inner;
};

// Multiplies each group by max(0, 1 - threshold / norm) * factor, its norm being the root of its sum of squares; groups
// whose norm is at most the threshold become +0, and a group with NaN becomes NaN. Returns how many are zero.
std::size_t shrink_groups(float* x, const Groups& shape, double threshold, double factor, const OptimizerLoops& loops);
std::size_t shrink_groups(double* x, const Groups& shape, double threshold, double factor, const OptimizerLoops& loops);

}  // namespace paring
