// Which micro-kernel a call runs.
#pragma once

#include <string>

#include "bindings/arrays.h"
#include "cpu/level.h"
#include "gemm/kernel.h"

namespace paring::bindings {

inline const char* name_of(Compute compute) { return compute == Compute::kFloats ? "float32" : "int8"; }

inline const char* name_of(WeightType type) {
  switch (type) {
    case WeightType::kU8: return "u8";
    case WeightType::kU4: return "u4";
    case WeightType::kF32: return "f32";
    case WeightType::kF16: return "f16";
    case WeightType::kBF16: return "bf16";
  }
  return "";
}

inline Compute compute_named(const std::string& name) {
  if (name == "float32") return Compute::kFloats;
  if (name == "int8") return Compute::kIntegers;
  throw py::value_error("compute: expected float32 or int8, got '" + name + "'");
}

// The named kernel, or for an empty name the best active one; it must be of this kind and usable here.
inline const GemmKernel& kernel_for(const std::string& name, WeightType type, Compute compute = Compute::kFloats) {
  if (name.empty()) return choose_gemm_kernel(type, compute, active_features());
  for (const GemmKernel& kernel : gemm_kernels()) {
    if (name != kernel.name) continue;
    if (kernel.layout.type != type) throw py::value_error("kernel: '" + name + "' is for another kind of weight");
    if (kernel.compute() != compute)
      throw py::value_error("kernel: '" + name + "' multiplies x as " + name_of(kernel.compute()));
    if (!detected_features().contains(kernel.needs))
      throw py::value_error("kernel: this CPU cannot run '" + name + "'");
    return kernel;
  }
  throw py::value_error("kernel: unknown name '" + name + "'");
}

}  // namespace paring::bindings
