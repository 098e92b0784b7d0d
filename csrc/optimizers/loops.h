// The elementwise loops of training's optimizers, written once (loops.inl) and compiled per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"
#include "optimizers/rules.h"

namespace paring {

template <typename Real>
struct StepLoops {
  // One step, in place.
  void (*step)(Rule rule, const StepNumbers& numbers, const StepTask<Real>& task);

  // The sum of squares in double, of the elements whose mask is not 0 (of all for a null mask): 16 running sums,
  // element i in sum i % 16, added in halves, so that the order of additions is the same for every instruction set.
  double (*sum_of_squares)(const Real* x, const std::uint8_t* mask, std::size_t n);

  // sums[i] += x[i] * x[i], in double.
  void (*add_squares)(const Real* x, std::size_t n, double* sums);

  // x[i] = x[i] * factor, or factors[i], in double; +0 where that factor is 0.
  void (*scale)(Real* x, std::size_t n, double factor);
  void (*scale_each)(Real* x, std::size_t n, const double* factors);
};

struct OptimizerLoops {
  const char* name;
  FeatureSet needs;
  StepLoops<float> float32;
  StepLoops<double> float64;
};

// Best first; the last needs nothing.
std::span<const OptimizerLoops> optimizer_loops();

extern const OptimizerLoops kOptimizerLoopsScalar, kOptimizerLoopsAvx2, kOptimizerLoopsAvx512;

template <typename Real>
const StepLoops<Real>& step_loops(const OptimizerLoops& loops) {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return loops.float32;
  } else {
    return loops.float64;
  }
}

}  // namespace paring
