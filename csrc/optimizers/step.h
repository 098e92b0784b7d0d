// One step of an optimizer over all tensors of a model, on all threads.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "optimizers/loops.h"
#include "optimizers/rules.h"

namespace paring {

// "gradient", "momentum", "adagrad", "rmsprop", "rmsprop_momentum", "rmsprop_centered", "rmsprop_centered_momentum",
// "adam" or "adam_largest"; throws std::invalid_argument for anything else.
Rule rule_named(const std::string& name);

template <typename Real>
struct TensorStep {
  StepNumbers numbers;
  StepTask<Real> task;
};

// Every tensor is read once and written once. Its bytes do not depend on threads, instruction set, or what else is in
// the call. Nothing that is written overlaps anything else.
void step_tensors(Rule rule, std::span<const TensorStep<float>> tensors, const OptimizerLoops& loops);
void step_tensors(Rule rule, std::span<const TensorStep<double>> tensors, const OptimizerLoops& loops);

}  // namespace paring
