#include "bindings/arrays.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "differences/sums.h"

namespace paring::bindings {
namespace {

py::tuple sums_of(const py::array& a, const py::array& b, const std::string& isa) {
  const DifferenceLoops& loops = select(difference_loops(), features_or_active(isa));
  const auto size = static_cast<std::size_t>(a.size());
  check_size(b, "b", size);
  const auto run = [&](const auto* from, const auto* to) {
    const DifferenceSums sums = [&] {
      const py::gil_scoped_release release;
      return difference_sums(from, to, size, loops);
    }();
    return py::make_tuple(sums.largest, sums.total, sums.noise, sums.signal, sums.zeros);
  };
  if (!py::isinstance<py::array_t<double>>(a)) {
    const auto* from = input<float>(a, "a");
    return run(from, input<float>(b, "b"));
  }
  const auto* from = input<double>(a, "a");
  if (py::isinstance<py::array_t<double>>(b)) return run(from, input<double>(b, "b"));
  return run(from, input<float>(b, "b"));
}

}  // namespace

void register_differences(py::module_& module) {
  module.def("difference_sums", &sums_of, py::arg("a"), py::arg("b"), py::kw_only(), py::arg("isa") = "");
}

}  // namespace paring::bindings
