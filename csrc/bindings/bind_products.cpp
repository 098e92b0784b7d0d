#include <pybind11/stl.h>

#include <utility>
#include <vector>

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

// How many elements there are from the first to the last of `count` matrices.
template <typename View>
std::size_t extent(const View& view, std::size_t count = 1, std::size_t stride = 0) {
  if (view.rows == 0 || view.cols == 0 || count == 0) return 0;
  return (count - 1) * stride + (view.rows - 1) * view.row_stride + (view.cols - 1) * view.col_stride + 1;
}

void check_apart(const float* out, std::size_t out_extent, const float* in, std::size_t in_extent, const char* name) {
  const auto begin = reinterpret_cast<std::uintptr_t>(out), other = reinterpret_cast<std::uintptr_t>(in);
  const bool apart =
      out_extent == 0 || in_extent == 0 || begin >= other + 4 * in_extent || other >= begin + 4 * out_extent;
  if (!apart) throw py::value_error(std::string("out: overlaps ") + name);
}

void matrix_product(const py::array& a, const py::array& b, py::array& out, const std::optional<py::array>& rows,
                    const std::optional<py::array>& columns, bool add, const std::string& kernel) {
  const Operand left = operand(a, "a"), right = operand(b, "b");
  const Target to = target(out, "out");
  if (left.cols != right.rows || to.rows != left.rows || to.cols != right.cols)
    throw py::value_error("expected shapes (m, k), (k, n) and (m, n), got " + shape_text(a) + ", " + shape_text(b) +
                          " and " + shape_text(out));
  check_apart(to.data, extent(to), left.data, extent(left), "a");
  check_apart(to.data, extent(to), right.data, extent(right), "b");
  if (int{add} + int{rows.has_value()} + int{columns.has_value()} > 1)
    throw py::value_error("expected one of add, rows and columns, got several");
  const Start start{add, optional_input<float>(rows, "rows", to.rows),
                    optional_input<float>(columns, "columns", to.cols)};
  const GemmKernel& row = kernel_for(kernel, WeightType::kF32);
  const py::gil_scoped_release release;
  product(row, left, right, start, to);
}

// A stack's first matrix, and how many elements it is to the next.
std::pair<Operand, std::size_t> stack_of(const py::array& stack, const char* name, py::ssize_t count) {
  if (stack.ndim() != 3 || stack.shape(0) != count || stack.strides(0) < 0 || stack.strides(0) % 4 != 0)
    throw py::type_error(std::string(name) + ": expected a stack of " + std::to_string(count) +
                         " matrices without negative strides, got shape " + shape_text(stack));
  const std::vector<py::ssize_t> shape{stack.shape(1), stack.shape(2)}, strides{stack.strides(1), stack.strides(2)};
  const py::array first(stack.dtype(), shape, strides, stack.data(), stack);
  return {operand(first, name), static_cast<std::size_t>(stack.strides(0)) / 4};
}

void matrix_products(const py::array& a, const py::array& b, py::array& out, const std::string& kernel) {
  float* data = output<float>(out, "out", 3);
  const auto count = static_cast<std::size_t>(out.shape(0));
  const auto [left, left_stride] = stack_of(a, "a", out.shape(0));
  const auto [right, right_stride] = stack_of(b, "b", out.shape(0));
  const auto rows = static_cast<std::size_t>(out.shape(1)), cols = static_cast<std::size_t>(out.shape(2));
  if (left.cols != right.rows || rows != left.rows || cols != right.cols)
    throw py::value_error("expected shapes (s, m, k), (s, k, n) and (s, m, n), got " + shape_text(a) + ", " +
                          shape_text(b) + " and " + shape_text(out));
  const Target to{data, rows, cols, cols, 1};
  const StackStrides strides{left_stride, right_stride, rows * cols};
  check_apart(data, extent(to, count, strides.c), left.data, extent(left, count, strides.a), "a");
  check_apart(data, extent(to, count, strides.c), right.data, extent(right, count, strides.b), "b");
  const GemmKernel& row = kernel_for(kernel, WeightType::kF32);
  const py::gil_scoped_release release;
  product_stack(row, count, left, right, to, strides);
}

}  // namespace

void register_products(py::module_& module) {
  module.def("matrix_product", &matrix_product, py::arg("a"), py::arg("b"), py::arg("out"),
             py::arg("rows") = py::none(), py::arg("columns") = py::none(), py::arg("add") = false,
             py::arg("kernel") = "");
  module.def("matrix_products", &matrix_products, py::arg("a"), py::arg("b"), py::arg("out"), py::arg("kernel") = "");
}

}  // namespace paring::bindings
