#include <pybind11/stl.h>

#include <vector>

#include "bindings/arrays.h"
#include "bindings/overlap.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "prune/moments.h"
#include "prune/prune.h"
#include "prune/selection.h"

namespace paring::bindings {
namespace {

const PruneLoops& loops_for(const std::string& isa) { return select(prune_loops(), features_or_active(isa)); }

// Arrays of the unsigned integers that are as wide as an element.
void check_bits(const py::array& array, const std::string& name, ElementKind kind) {
  switch (element_bytes(kind)) {
    case 2: return check_array<std::uint16_t>(array, name.c_str(), -1);
    case 4: return check_array<std::uint32_t>(array, name.c_str(), -1);
    default: return check_array<std::uint64_t>(array, name.c_str(), -1);
  }
}

Elements elements_of(const py::array& weight, const std::string& name, const std::string& kind_name) {
  const ElementKind kind = element_kind_named(kind_name);
  check_bits(weight, name, kind);
  return {kind, weight.data(), static_cast<std::size_t>(weight.size())};
}

void* output_of(py::array& out, const std::string& name, const py::array& weight, const Elements& elements) {
  check_bits(out, name, elements.kind);
  check_size(out, name.c_str(), elements.size);
  if (!out.writeable()) throw py::value_error(name + ": expected a writeable array");
  check_same_or_apart(out, name, weight);
  return out.mutable_data();
}

std::size_t below(const py::array& weight, const std::string& kind, std::uint64_t threshold_bits, py::array& out,
                  const std::string& isa) {
  const Elements elements = elements_of(weight, "weight", kind);
  void* to = output_of(out, "out", weight, elements);
  if (threshold_bits > infinity_key(elements.kind))
    throw py::value_error("threshold_bits: expected at most the bits of infinity, got " +
                          std::to_string(threshold_bits));
  const PruneLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  return prune_below(elements, threshold_bits, to, loops);
}

std::vector<std::size_t> smallest(const std::vector<py::array>& weights, const std::vector<std::string>& kinds,
                                  std::size_t count, std::vector<py::array>& outs, const std::string& isa) {
  if (kinds.size() != weights.size() || outs.size() != weights.size())
    throw py::value_error("kinds and outs: expected " + std::to_string(weights.size()) + " each, got " +
                          std::to_string(kinds.size()) + " and " + std::to_string(outs.size()));
  std::vector<Elements> elements;
  std::vector<void*> to;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string place = "[" + std::to_string(i) + "]";
    elements.push_back(elements_of(weights[i], "weights" + place, kinds[i]));
    to.push_back(output_of(outs[i], "outs" + place, weights[i], elements[i]));
  }
  for (std::size_t i = 0; i < outs.size(); ++i)
    for (std::size_t j = 0; j < outs.size(); ++j) {
      if (i == j) continue;
      check_no_overlap(outs[i], "outs", weights[j], "another weight");
      check_no_overlap(outs[i], "outs", outs[j], "another out");
    }
  const PruneLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  return prune_smallest(elements, count, to, loops);
}

py::tuple select(const std::vector<py::array>& weights, const std::vector<std::string>& kinds, std::size_t count,
                 const std::string& isa) {
  if (kinds.size() != weights.size())
    throw py::value_error("kinds: expected " + std::to_string(weights.size()) + ", got " +
                          std::to_string(kinds.size()));
  std::vector<Elements> elements;
  for (std::size_t i = 0; i < weights.size(); ++i)
    elements.push_back(elements_of(weights[i], "weights[" + std::to_string(i) + "]", kinds[i]));
  const PruneLoops& loops = loops_for(isa);
  const Selection selection = [&] {
    const py::gil_scoped_release release;
    return select_smallest(elements, count, loops);
  }();
  return py::make_tuple(element_kind_name(selection.cut.kind), selection.cut.key, selection.equal);
}

std::size_t selected(const py::array& weight, const std::string& kind, const std::string& cut_kind, std::uint64_t key,
                     std::size_t equal, py::array& out, const std::string& isa) {
  const Elements elements = elements_of(weight, "weight", kind);
  void* to = output_of(out, "out", weight, elements);
  const Cut cut{element_kind_named(cut_kind), key, equal};
  if (key > infinity_key(cut.kind))
    throw py::value_error("key: expected at most that of infinity, got " + std::to_string(key));
  const PruneLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  return prune_selected(elements, cut, to, loops);
}

void n_of_m(const py::array& weight, const std::string& kind, std::size_t n, std::size_t m, py::array& out,
            const std::string& isa) {
  const Elements elements = elements_of(weight, "weight", kind);
  void* to = output_of(out, "out", weight, elements);
  if (m < 1 || n > m)
    throw py::value_error("n and m: expected 0 <= n <= m and m >= 1, got " + std::to_string(n) + " and " +
                          std::to_string(m));
  if (weight.ndim() != 2 || static_cast<std::size_t>(weight.shape(1)) % m != 0)
    throw py::value_error("weight: expected two axes, the last a multiple of " + std::to_string(m) + ", got " +
                          shape_text(weight));
  const PruneLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  prune_n_of_m(elements, n, m, to, loops);
}

std::pair<double, double> moments_of(const py::array& weight, const std::string& isa) {
  const PruneLoops& loops = loops_for(isa);
  const auto size = static_cast<std::size_t>(weight.size());
  const auto run = [&](const auto* data) {
    const py::gil_scoped_release release;
    const Moments result = moments(data, size, loops);
    return std::pair(result.mean, result.standard_deviation);
  };
  if (py::isinstance<py::array_t<double>>(weight)) return run(input<double>(weight, "weight"));
  return run(input<float>(weight, "weight"));
}

}  // namespace

void register_prune(py::module_& module) {
  module.def("prune_below", &below, py::arg("weight"), py::arg("kind"), py::arg("threshold_bits"), py::arg("out"),
             py::kw_only(), py::arg("isa") = "");
  module.def("prune_smallest", &smallest, py::arg("weights"), py::arg("kinds"), py::arg("count"), py::arg("outs"),
             py::kw_only(), py::arg("isa") = "");
  module.def("select_smallest", &select, py::arg("weights"), py::arg("kinds"), py::arg("count"), py::kw_only(),
             py::arg("isa") = "");
  module.def("prune_selected", &selected, py::arg("weight"), py::arg("kind"), py::arg("cut_kind"), py::arg("key"),
             py::arg("equal"), py::arg("out"), py::kw_only(), py::arg("isa") = "");
  module.def("prune_n_of_m", &n_of_m, py::arg("weight"), py::arg("kind"), py::arg("n"), py::arg("m"), py::arg("out"),
             py::kw_only(), py::arg("isa") = "");
  module.def("moments", &moments_of, py::arg("weight"), py::kw_only(), py::arg("isa") = "");
}

}  // namespace paring::bindings
