// How every table of kernels is shown to Python: {"name", "family", "needs", "usable"}.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/level.h"

namespace paring::bindings {

template <typename Row>
pybind11::dict describe_kernel(const Row& row, const char* family) {
  pybind11::dict entry;
  entry["name"] = row.name;
  entry["family"] = family;
  entry["needs"] = feature_names(row.needs);
  entry["usable"] = active_features().contains(row.needs);
  return entry;
}

}  // namespace paring::bindings
