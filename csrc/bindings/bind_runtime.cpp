#include <pybind11/stl.h>

#include "bindings/kernel_list.h"
#include "bindings/registers.h"
#include "differences/loops.h"
#include "nn/epilogue.h"
#include "optimizers/loops.h"
#include "prune/loops.h"
#include "quantize/loops.h"
#include "sparse/csr_loops.h"
#include "threads/pool.h"
#include "windows/loops.h"

namespace paring::bindings {
namespace py = pybind11;

void register_runtime(py::module_& module) {
  module.attr("version") = PARING_VERSION;
  // Reads PARING_ISA: a name this CPU cannot run stops the import here.
  try {
    active_features();
  } catch (const std::invalid_argument& error) {
    throw py::import_error(error.what());
  }

  module.def("features", [] { return feature_names(detected_features()); });
  module.def("levels", [] {
    py::list names;
    for (const Level& level : levels()) {
      if (detected_features().contains(level.features)) names.append(level.name);
    }
    return names;
  });
  module.def("active_level", [] { return active_level().name; });
  module.def("loop_kernels", [] {
    py::list rows;
    for (const auto& row : quantize_loops()) rows.append(describe_kernel(row, "quantize"));
    for (const auto& row : prune_loops()) rows.append(describe_kernel(row, "prune"));
    for (const auto& row : difference_loops()) rows.append(describe_kernel(row, "differences"));
    for (const auto& row : optimizer_loops()) rows.append(describe_kernel(row, "optimizers"));
    for (const auto& row : window_loops()) rows.append(describe_kernel(row, "windows"));
    for (const auto& row : epilogue_kernels()) rows.append(describe_kernel(row, "epilogue"));
    for (const auto& row : csr_loops()) rows.append(describe_kernel(row, "csr"));
    return rows;
  });
  module.def("get_num_threads", &num_threads);
  module.def("set_num_threads", &set_num_threads, py::arg("count"));
}

}  // namespace paring::bindings
