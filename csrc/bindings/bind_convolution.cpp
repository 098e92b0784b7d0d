#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/gemm_kernel.h"
#include "bindings/overlap.h"
#include "bindings/planes.h"
#include "bindings/registers.h"
#include "products/convolution.h"

namespace paring::bindings {
namespace {

// x are images in either order, filters (count, channels / groups, kernel rows, kernel columns), y (count, images,
// rows, columns).
Convolution check_sizes(const Planes<const float>& x, const py::array& filters, const py::array& y,
                        const WindowShape& shape, std::size_t groups, const std::string& kernel) {
  const auto size = [](const py::array& array, int axis) { return static_cast<std::size_t>(array.shape(axis)); };
  const std::size_t count = size(filters, 0);
  if (groups == 0 || x.channels == 0 || x.channels % groups != 0 || count % groups != 0)
    throw py::value_error("groups: expected a number that divides " + std::to_string(x.channels) + " channels and " +
                          std::to_string(count) + " filters, got " + std::to_string(groups));
  if (size(filters, 1) != x.channels / groups || size(filters, 2) != shape.rows.kernel ||
      size(filters, 3) != shape.columns.kernel)
    throw py::value_error("filters: expected (count, " + std::to_string(x.channels / groups) + ", " +
                          std::to_string(shape.rows.kernel) + ", " + std::to_string(shape.columns.kernel) + "), got " +
                          shape_text(filters));
  if (size(y, 0) != count || size(y, 1) != x.images || size(y, 2) != shape.rows.out || size(y, 3) != shape.columns.out)
    throw py::value_error("expected outputs of shape (" + std::to_string(count) + ", " + std::to_string(x.images) +
                          ", " + std::to_string(shape.rows.out) + ", " + std::to_string(shape.columns.out) + "), got " +
                          shape_text(y));
  const GemmKernel& row = kernel_for(kernel, WeightType::kF32);
  return {shape, x.images, x.channels, count, groups, select(window_loops(), row.needs), row};
}

void forward(const py::array& x, int image_axis, const py::array& filters, const std::optional<py::array>& bias,
             std::size_t groups, const WindowShape& shape, py::array& y, const std::string& kernel) {
  const auto from = input_planes<float>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const float* weights = input<float>(filters, "filters", 4);
  float* to = output<float>(y, "y", 4);
  const Convolution sizes = check_sizes(from, filters, y, shape, groups, kernel);
  const float* start = optional_input<float>(bias, "bias", sizes.filters);
  check_no_overlap(y, "y", x, "x");
  check_no_overlap(y, "y", filters, "filters");
  if (bias) check_no_overlap(y, "y", *bias, "bias");
  const py::gil_scoped_release release;
  convolve(sizes, from, weights, start, to);
}

void input_gradient(const py::array& dy, const py::array& filters, std::size_t groups, const WindowShape& shape,
                    py::array& dx, int image_axis, const std::string& kernel) {
  const float* from = input<float>(dy, "dy", 4);
  const float* weights = input<float>(filters, "filters", 4);
  const auto to = output_planes<float>(dx, "dx", image_axis, shape.rows.size, shape.columns.size);
  const Convolution sizes = check_sizes(read_only(to), filters, dy, shape, groups, kernel);
  check_no_overlap(dx, "dx", dy, "dy");
  check_no_overlap(dx, "dx", filters, "filters");
  const py::gil_scoped_release release;
  convolve_input_gradient(sizes, from, weights, to);
}

void filter_gradient(const py::array& x, int image_axis, const py::array& dy, std::size_t groups,
                     const WindowShape& shape, py::array& gradient, const std::string& kernel) {
  const auto from = input_planes<float>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const float* outputs = input<float>(dy, "dy", 4);
  float* to = output<float>(gradient, "gradient", 4);
  const Convolution sizes = check_sizes(from, gradient, dy, shape, groups, kernel);
  check_no_overlap(gradient, "gradient", x, "x");
  check_no_overlap(gradient, "gradient", dy, "dy");
  const py::gil_scoped_release release;
  convolve_filter_gradient(sizes, from, outputs, to);
}

}  // namespace

void register_convolution(py::module_& module) {
  module.def("convolve", &forward, py::arg("x"), py::arg("image_axis"), py::arg("filters"), py::arg("bias"),
             py::arg("groups"), py::arg("shape"), py::arg("y"), py::arg("kernel") = "");
  module.def("convolve_input_gradient", &input_gradient, py::arg("dy"), py::arg("filters"), py::arg("groups"),
             py::arg("shape"), py::arg("dx"), py::arg("image_axis"), py::arg("kernel") = "");
  module.def("convolve_filter_gradient", &filter_gradient, py::arg("x"), py::arg("image_axis"), py::arg("dy"),
             py::arg("groups"), py::arg("shape"), py::arg("gradient"), py::arg("kernel") = "");
}

}  // namespace paring::bindings
