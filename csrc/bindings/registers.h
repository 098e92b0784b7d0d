// One function a topic; each lives in bind_<topic>.cpp.
#pragma once

#include <pybind11/pybind11.h>

namespace paring::bindings {

void register_runtime(pybind11::module_& module);
void register_convolution(pybind11::module_& module);
void register_gemm(pybind11::module_& module);
void register_differences(pybind11::module_& module);
void register_packed_filters(pybind11::module_& module);
void register_optimizers(pybind11::module_& module);
void register_probes(pybind11::module_& module);
void register_products(pybind11::module_& module);
void register_prune(pybind11::module_& module);
void register_quantize(pybind11::module_& module);
void register_sparse(pybind11::module_& module);
void register_windows(pybind11::module_& module);

}  // namespace paring::bindings
