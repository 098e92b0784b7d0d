// Which micro-kernel a call runs.
#pragma once

#include <string>

#include "bindings/arrays.h"
#include "cpu/level.h"
#include "gemm/kernel.h"

namespace paring::bindings {

// The named kernel, or for an empty name the best active one; it must be of this weight type and usable here.
inline const GemmKernel& kernel_for(const std::string& name, WeightType type) {
  if (name.empty()) return choose_gemm_kernel(type, active_features());
  for (const GemmKernel& kernel : gemm_kernels()) {
    if (name != kernel.name) continue;
    if (kernel.layout.type != type) throw py::value_error("kernel: '" + name + "' is for another kind of weight");
    if (!detected_features().contains(kernel.needs))
      throw py::value_error("kernel: this CPU cannot run '" + name + "'");
    return kernel;
  }
  throw py::value_error("kernel: unknown name '" + name + "'");
}

}  // namespace paring::bindings
