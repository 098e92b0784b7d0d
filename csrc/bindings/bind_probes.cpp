#include "bindings/arrays.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "probes/probes.h"

namespace paring::bindings {
namespace {

const Probe& probe_for(const std::string& isa) { return select(probes(), features_or_active(isa)); }

std::size_t at_least_one(std::size_t threads) {
  if (threads == 0) throw py::value_error("threads: expected at least 1, got 0");
  return threads;
}

// (operations, seconds), or None at a level that has no instruction for it.
template <typename Time>
py::object probed(double operations, std::size_t rounds, std::size_t threads, const Time& time) {
  at_least_one(threads);
  if (operations == 0) return py::none();
  const double seconds = [&] {
    const py::gil_scoped_release release;
    return time();
  }();
  return py::make_tuple(operations * static_cast<double>(rounds) * static_cast<double>(threads), seconds);
}

py::object probe_int8(std::size_t rounds, std::size_t threads, const std::string& isa) {
  const Probe& probe = probe_for(isa);
  return probed(probe.int8_operations, rounds, threads, [&] { return time_int8_probe(probe, rounds, threads); });
}

py::object probe_float(std::size_t rounds, std::size_t threads, const std::string& isa) {
  const Probe& probe = probe_for(isa);
  return probed(probe.float_operations, rounds, threads, [&] { return time_float_probe(probe, rounds, threads); });
}

py::tuple probe_read(const py::array& data, std::size_t passes, std::size_t threads, const std::string& isa) {
  const Probe& probe = probe_for(isa);
  const auto* bytes = reinterpret_cast<const std::byte*>(input<std::uint8_t>(data, "data", 1));
  const std::size_t size = static_cast<std::size_t>(data.size()), part = size / at_least_one(threads) / 512 * 512;
  if (part == 0) throw py::value_error("data: expected at least 512 bytes a thread, got " + shape_text(data));
  const double seconds = [&] {
    const py::gil_scoped_release release;
    return time_read_probe(probe, bytes, size, passes, threads);
  }();
  return py::make_tuple(static_cast<double>(part * threads * passes), seconds);
}

}  // namespace

void register_probes(py::module_& module) {
  module.def("probe_int8", &probe_int8, py::arg("rounds"), py::arg("threads"), py::kw_only(), py::arg("isa") = "");
  module.def("probe_float", &probe_float, py::arg("rounds"), py::arg("threads"), py::kw_only(), py::arg("isa") = "");
  module.def("probe_read", &probe_read, py::arg("data"), py::arg("passes"), py::arg("threads"), py::kw_only(),
             py::arg("isa") = "");
}

}  // namespace paring::bindings
