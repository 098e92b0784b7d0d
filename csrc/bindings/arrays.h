// NumPy arrays at the border: the only file with rules of dtype, rank and contiguity. Python has already explained
// what a user may pass; a refusal here names the argument, what was expected and what came.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/matrix_view.h"

namespace paring::bindings {

namespace py = pybind11;

inline std::string shape_text(const py::array& array) {
  std::string text = "(";
  for (py::ssize_t i = 0; i < array.ndim(); ++i) text += (i ? ", " : "") + std::to_string(array.shape(i));
  return text + ")";
}

// Throws TypeError unless `array` is C-contiguous, aligned, of dtype T in native byte order, with `rank` axes
// (any if rank < 0).
template <typename T>
void check_array(const py::array& array, const char* name, int rank) {
  const bool fits = py::isinstance<py::array_t<T>>(array) && (array.flags() & py::array::c_style) != 0 &&
                    (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0 &&
                    (rank < 0 || array.ndim() == rank);
  if (fits) return;
  throw py::type_error(std::string(name) + ": expected a C-contiguous " + std::string(py::str(py::dtype::of<T>())) +
                       " array of " + (rank < 0 ? std::string("any rank") : std::to_string(rank) + " axes") + ", got " +
                       std::string(py::str(array.dtype())) + " " + shape_text(array));
}

// Read-only view of the elements of an array of any rank.
template <typename T>
const T* input(const py::array& array, const char* name, int rank = -1) {
  check_array<T>(array, name, rank);
  return static_cast<const T*>(array.data());
}

template <typename T>
MatrixView<const T> input_matrix(const py::array& array, const char* name) {
  const T* data = input<T>(array, name, 2);
  return contiguous(data, static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1)));
}

template <typename T>
T* output(py::array& array, const char* name, int rank = -1) {
  check_array<T>(array, name, rank);
  if (!array.writeable()) throw py::value_error(std::string(name) + ": expected a writeable array");
  return static_cast<T*>(array.mutable_data());
}

template <typename T>
MatrixView<T> output_matrix(py::array& array, const char* name) {
  T* data = output<T>(array, name, 2);
  return contiguous(data, static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1)));
}

// Throws ValueError unless the array has this many elements.
inline void check_size(const py::array& array, const char* name, std::size_t size) {
  if (static_cast<std::size_t>(array.size()) == size) return;
  throw py::value_error(std::string(name) + ": expected " + std::to_string(size) + " elements, got " +
                        shape_text(array));
}

// Null for None, else the elements of an array that must have `size` of them.
template <typename T>
const T* optional_input(const std::optional<py::array>& array, const char* name, std::size_t size) {
  if (!array) return nullptr;
  const T* data = input<T>(*array, name);
  check_size(*array, name, size);
  return data;
}

template <typename T>
py::array_t<T> new_matrix(std::size_t rows, std::size_t cols) {
  return py::array_t<T>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(cols)});
}

}  // namespace paring::bindings
