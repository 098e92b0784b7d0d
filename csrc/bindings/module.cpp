#include <pybind11/pybind11.h>

#include "bindings/registers.h"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "Kernels of paring. Arguments are checked and explained by the Python package around it.";
  paring::bindings::register_runtime(module);
  paring::bindings::register_convolution(module);
  paring::bindings::register_gemm(module);
  paring::bindings::register_packed_filters(module);
  paring::bindings::register_differences(module);
  paring::bindings::register_optimizers(module);
  paring::bindings::register_probes(module);
  paring::bindings::register_products(module);
  paring::bindings::register_prune(module);
  paring::bindings::register_quantize(module);
  paring::bindings::register_sparse(module);
  paring::bindings::register_windows(module);
}
