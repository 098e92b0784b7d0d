// Which outputs may share memory with inputs.
#pragma once

#include <cstdint>
#include <string>

#include "bindings/arrays.h"

namespace paring::bindings {

// Whether two C-contiguous arrays have bytes in common.
inline bool overlaps(const py::array& a, const py::array& b) {
  const auto start_a = reinterpret_cast<std::uintptr_t>(a.data()), start_b = reinterpret_cast<std::uintptr_t>(b.data());
  return a.nbytes() > 0 && b.nbytes() > 0 && start_a < start_b + static_cast<std::uintptr_t>(b.nbytes()) &&
         start_b < start_a + static_cast<std::uintptr_t>(a.nbytes());
}

inline void check_no_overlap(const py::array& out, const char* name, const py::array& in, const char* in_name) {
  if (overlaps(out, in)) throw py::value_error(std::string(name) + ": overlaps " + in_name);
}

// For functions that work in place: the same array or no byte in common.
inline void check_same_or_apart(const py::array& out, const std::string& name, const py::array& in) {
  if (out.data() != in.data() && overlaps(out, in))
    throw py::value_error(name + ": overlaps the weight without being the same memory");
}

}  // namespace paring::bindings
