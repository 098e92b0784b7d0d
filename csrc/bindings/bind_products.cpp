#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/gemm_kernel.h"
#include "bindings/registers.h"
#include "products/product.h"

namespace paring::bindings {
namespace {

// A float32 matrix of any strides that are whole elements and not negative.
Operand operand(const py::array& array, const char* name) {
  const bool fits = py::isinstance<py::array_t<float>>(array) && array.ndim() == 2 &&
                    (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0 && array.strides(0) >= 0 &&
                    array.strides(1) >= 0 && array.strides(0) % 4 == 0 && array.strides(1) % 4 == 0;
  if (!fits)
    throw py::type_error(std::string(name) + ": expected an aligned float32 matrix without negative strides, got " +
                         std::string(py::str(array.dtype())) + " " + shape_text(array));
  const auto number = [](py::ssize_t value) { return static_cast<std::size_t>(value); };
  return {static_cast<const float*>(array.data()), number(array.shape(0)), number(array.shape(1)),
          number(array.strides(0)) / 4, number(array.strides(1)) / 4};
}

Target target(py::array& array, const char* name) {
  const Operand view = operand(array, name);
  if (!array.writeable()) throw py::value_error(std::string(name) + ": expected a writeable array");
  // Rows of a wider matrix, or columns of a taller one: no two elements share memory.
  const bool apart = view.rows == 0 || view.cols == 0 ||
                     (view.col_stride == 1 && (view.rows == 1 || view.row_stride >= view.cols)) ||
                     (view.row_stride == 1 && (view.cols == 1 || view.col_stride >= view.rows));
  if (!apart) throw py::value_error(std::string(name) + ": expected contiguous rows or columns, got others");
  return {static_cast<float*>(array.mutable_data()), view.rows, view.cols, view.row_stride, view.col_stride};
}

template <typename View>
std::size_t extent(const View& view) {
  if (view.rows == 0 || view.cols == 0) return 0;
  return (view.rows - 1) * view.row_stride + (view.cols - 1) * view.col_stride + 1;
}

void check_apart(const Target& out, const Operand& in, const char* name) {
  const auto begin = reinterpret_cast<std::uintptr_t>(out.data), other = reinterpret_cast<std::uintptr_t>(in.data);
  const bool apart =
      extent(out) == 0 || extent(in) == 0 || begin >= other + 4 * extent(in) || other >= begin + 4 * extent(out);
  if (!apart) throw py::value_error(std::string("out: overlaps ") + name);
}

void matrix_product(const py::array& a, const py::array& b, py::array& out, const std::optional<py::array>& rows,
                    const std::optional<py::array>& columns, bool add, const std::string& kernel) {
  const Operand left = operand(a, "a"), right = operand(b, "b");
  const Target to = target(out, "out");
  if (left.cols != right.rows || to.rows != left.rows || to.cols != right.cols)
    throw py::value_error("expected shapes (m, k), (k, n) and (m, n), got " + shape_text(a) + ", " + shape_text(b) +
                          " and " + shape_text(out));
  check_apart(to, left, "a");
  check_apart(to, right, "b");
  if (int{add} + int{rows.has_value()} + int{columns.has_value()} > 1)
    throw py::value_error("expected one of add, rows and columns, got several");
  const Start start{add, optional_input<float>(rows, "rows", to.rows),
                    optional_input<float>(columns, "columns", to.cols)};
  const GemmKernel& row = kernel_for(kernel, WeightType::kF32);
  const py::gil_scoped_release release;
  product(row, left, right, start, to);
}

}  // namespace

void register_products(py::module_& module) {
  module.def("matrix_product", &matrix_product, py::arg("a"), py::arg("b"), py::arg("out"),
             py::arg("rows") = py::none(), py::arg("columns") = py::none(), py::arg("add") = false,
             py::arg("kernel") = "");
}

}  // namespace paring::bindings
