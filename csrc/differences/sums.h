// How far two arrays are apart, in float64.
#pragma once

#include <cstddef>

#include "differences/loops.h"

namespace paring {

// Chunks of a fixed size are compared by the lanes of differences/loops.h and added in order, so the bytes depend on
// the values only. `largest` is NaN if a difference is.
DifferenceSums difference_sums(const float* a, const float* b, std::size_t n, const DifferenceLoops& loops);
DifferenceSums difference_sums(const double* a, const float* b, std::size_t n, const DifferenceLoops& loops);
DifferenceSums difference_sums(const double* a, const double* b, std::size_t n, const DifferenceLoops& loops);

}  // namespace paring
