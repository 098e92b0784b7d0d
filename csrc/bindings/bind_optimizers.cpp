#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "optimizers/norms.h"
#include "optimizers/step.h"

namespace paring::bindings {
namespace {

const OptimizerLoops& loops_for(const std::string& isa) { return select(optimizer_loops(), features_or_active(isa)); }

// One tensor as Python gives it: its name in messages, weight, gradient, slots, mask, numbers.
using TensorTuple =
    std::tuple<std::string, py::array, py::array, std::vector<py::array>, std::optional<py::array>, StepNumbers>;

// The bytes of one array of a call.
struct Span {
  std::uintptr_t begin, end;
  bool written;
  std::string name;
};

// Throws ValueError if an array that is written shares bytes with any other of the call.
void check_apart(std::vector<Span>& spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  const Span* furthest = nullptr;          // of those so far
  const Span* furthest_written = nullptr;  // likewise, of those written
  for (const Span& span : spans) {
    if (span.begin == span.end) continue;
    const Span* other = span.written ? furthest : furthest_written;
    if (other && span.begin < other->end) throw py::value_error(span.name + ": shares memory with " + other->name);
    if (!furthest || furthest->end < span.end) furthest = &span;
    if (span.written && (!furthest_written || furthest_written->end < span.end)) furthest_written = &span;
  }
}

template <typename Real>
TensorStep<Real> tensor_step(Rule rule, TensorTuple& tensor, std::vector<Span>& spans) {
  auto& [name, weight, gradient, slots, mask, numbers] = tensor;
  const auto add_span = [&](const py::array& array, bool written, const std::string& label) {
    const auto begin = reinterpret_cast<std::uintptr_t>(array.data());
    spans.push_back({begin, begin + static_cast<std::uintptr_t>(array.nbytes()), written, label});
  };
  const auto size = static_cast<std::size_t>(weight.size());
  TensorStep<Real> step{numbers, {}};
  step.task.n = size;
  step.task.weight = output<Real>(weight, name.c_str());
  add_span(weight, true, name);
  const std::string gradient_name = "the gradient of " + name, mask_name = "the mask of " + name;
  step.task.gradient = input<Real>(gradient, gradient_name.c_str());
  check_size(gradient, gradient_name.c_str(), size);
  add_span(gradient, false, gradient_name);
  if (slots.size() != static_cast<std::size_t>(slots_of(rule)))
    throw py::value_error(name + ": expected " + std::to_string(slots_of(rule)) + " slots, got " +
                          std::to_string(slots.size()));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::string label = "slot " + std::to_string(i) + " of " + name;
    step.task.slots[i] = output<Real>(slots[i], label.c_str());
    check_size(slots[i], label.c_str(), size);
    add_span(slots[i], true, label);
  }
  step.task.mask = optional_input<std::uint8_t>(mask, mask_name.c_str(), size);
  if (mask) add_span(*mask, false, mask_name);
  return step;
}

void step(const std::string& rule_name, std::vector<TensorTuple>& tensors, const std::string& isa) {
  const Rule rule = rule_named(rule_name);
  const OptimizerLoops& loops = loops_for(isa);
  std::vector<TensorStep<float>> float32;
  std::vector<TensorStep<double>> float64;
  std::vector<Span> spans;
  for (TensorTuple& tensor : tensors) {
    if (py::isinstance<py::array_t<double>>(std::get<1>(tensor))) {
      float64.push_back(tensor_step<double>(rule, tensor, spans));
    } else {
      float32.push_back(tensor_step<float>(rule, tensor, spans));
    }
  }
  check_apart(spans);
  const py::gil_scoped_release release;
  step_tensors(rule, float32, loops);
  step_tensors(rule, float64, loops);
}

template <typename Real>
double squares_of(const py::array& x, const std::optional<py::array>& mask, const OptimizerLoops& loops) {
  const Real* data = input<Real>(x, "x");
  const auto size = static_cast<std::size_t>(x.size());
  const std::uint8_t* kept = optional_input<std::uint8_t>(mask, "mask", size);
  const py::gil_scoped_release release;
  return sum_of_squares(data, kept, size, loops);
}

double squares(const py::array& x, const std::optional<py::array>& mask, const std::string& isa) {
  const OptimizerLoops& loops = loops_for(isa);
  return py::isinstance<py::array_t<double>>(x) ? squares_of<double>(x, mask, loops)
                                                : squares_of<float>(x, mask, loops);
}

template <typename Real>
std::size_t shrink_groups_of(py::array& x, double threshold, double factor, const OptimizerLoops& loops) {
  Real* data = output<Real>(x, "x", 3);
  const Groups shape{static_cast<std::size_t>(x.shape(0)), static_cast<std::size_t>(x.shape(1)),
                     static_cast<std::size_t>(x.shape(2))};
  const py::gil_scoped_release release;
  return shrink_groups(data, shape, threshold, factor, loops);
}

std::size_t groups(py::array& x, double threshold, double factor, const std::string& isa) {
  const OptimizerLoops& loops = loops_for(isa);
  return py::isinstance<py::array_t<double>>(x) ? shrink_groups_of<double>(x, threshold, factor, loops)
                                                : shrink_groups_of<float>(x, threshold, factor, loops);
}

}  // namespace

void register_optimizers(py::module_& module) {
  const StepNumbers neutral;
  py::class_<StepNumbers>(module, "StepNumbers")
      .def(py::init([](double gradient_factor, double gradient_limit, double coupled_decay, double decay,
                       double threshold, double shrink, double rate, double momentum, double fresh, double direct,
                       double first_share, double second_share, double epsilon) {
             return StepNumbers{gradient_factor, gradient_limit, coupled_decay, decay,       threshold,    shrink, rate,
                                momentum,        fresh,          direct,        first_share, second_share, epsilon};
           }),
           py::kw_only(), py::arg("gradient_factor") = neutral.gradient_factor,
           py::arg("gradient_limit") = neutral.gradient_limit, py::arg("coupled_decay") = neutral.coupled_decay,
           py::arg("decay") = neutral.decay, py::arg("threshold") = neutral.threshold,
           py::arg("shrink") = neutral.shrink, py::arg("rate") = neutral.rate, py::arg("momentum") = neutral.momentum,
           py::arg("fresh") = neutral.fresh, py::arg("direct") = neutral.direct,
           py::arg("first_share") = neutral.first_share, py::arg("second_share") = neutral.second_share,
           py::arg("epsilon") = neutral.epsilon);
  module.def("optimizer_step", &step, py::arg("rule"), py::arg("tensors"), py::kw_only(), py::arg("isa") = "");
  module.def("sum_of_squares", &squares, py::arg("x"), py::arg("mask").none(true), py::kw_only(), py::arg("isa") = "");
  module.def("shrink_groups", &groups, py::arg("x"), py::arg("threshold"), py::arg("factor"), py::kw_only(),
             py::arg("isa") = "");
}

}  // namespace paring::bindings
