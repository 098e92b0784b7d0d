// The loops that compare two arrays, written once (loops.inl) and compiled per instruction set. Every loop gives the
// same bytes in each of them.
#pragma once

#include <cstddef>
#include <span>

#include "cpu/features.h"

namespace paring {

// Of arrays a and b, all in double.
struct DifferenceSums {
  double largest = 0;     // |a[i] - b[i]|, skipping NaN
  double total = 0;       // sum of |a[i] - b[i]|
  double noise = 0;       // sum of (a[i] - b[i])^2
  double signal = 0;      // sum of a[i]^2
  std::size_t zeros = 0;  // how many b[i] are 0
};

// Sums are 16 running sums (element i in sum i % 16) that are added in halves at the end: the order of additions is the
// same for every instruction set.
struct DifferenceLoops {
  const char* name;
  FeatureSet needs;
  DifferenceSums (*floats)(const float* a, const float* b, std::size_t n);
  DifferenceSums (*mixed)(const double* a, const float* b, std::size_t n);
  DifferenceSums (*doubles)(const double* a, const double* b, std::size_t n);
};

// Best first; the last needs nothing.
std::span<const DifferenceLoops> difference_loops();

extern const DifferenceLoops kDifferenceLoopsScalar, kDifferenceLoopsAvx2, kDifferenceLoopsAvx512;

}  // namespace paring
