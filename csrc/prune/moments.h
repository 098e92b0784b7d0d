// Mean and standard deviation in float64.
#pragma once

#include <cstddef>

#include "prune/loops.h"

namespace paring {

struct Moments {
  double mean;
  double standard_deviation;  // of the population, as numpy.std
};

// Two passes: the mean, then the mean squared distance from it. Chunks of a fixed size are summed by the lanes of
// prune/loops.h and added in order, so the bytes depend on the values only. 0 and 0 for an empty weight. Throws
// std::invalid_argument that names the first NaN or infinity; a sum beyond float64 gives infinity or NaN, as in NumPy.
Moments moments(const float* w, std::size_t n, const PruneLoops& loops);
Moments moments(const double* w, std::size_t n, const PruneLoops& loops);

}  // namespace paring
