#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/kernel_list.h"
#include "bindings/linear_arguments.h"
#include "bindings/overlap.h"
#include "bindings/planes.h"
#include "bindings/registers.h"
#include "convolution/convolve.h"

namespace paring::bindings {
namespace {

const ConvolutionKernel& convolution_kernel_for(const std::string& name, ConvolutionKind kind) {
  if (name.empty()) return choose_convolution_kernel(kind, active_features());
  for (const ConvolutionKernel& kernel : convolution_kernels()) {
    if (name != kernel.name) continue;
    if (kernel.kind != kind) throw py::value_error("kernel: '" + name + "' is for another kind of filters");
    if (!detected_features().contains(kernel.needs))
      throw py::value_error("kernel: this CPU cannot run '" + name + "'");
    return kernel;
  }
  throw py::value_error("kernel: unknown name '" + name + "'");
}

// Filters are (filters, channels / groups, rows, columns).
FilterShape filter_shape(const py::array& filters, std::size_t groups) {
  const auto size = [&](int axis) { return static_cast<std::size_t>(filters.shape(axis)); };
  if (groups == 0 || size(0) % groups != 0)
    throw py::value_error("groups: expected a number that divides " + std::to_string(size(0)) + " filters, got " +
                          std::to_string(groups));
  if (filters.size() == 0) throw py::value_error("filters: expected no axis of 0, got " + shape_text(filters));
  return {size(0), groups, size(1), size(2), size(3)};
}

std::unique_ptr<PackedFilters> pack_floats(const py::array& filters, const std::optional<py::array>& bias,
                                           std::size_t groups, const std::string& kernel) {
  const float* values = input<float>(filters, "filters", 4);
  const FilterShape shape = filter_shape(filters, groups);
  const float* bias_data = optional_input<float>(bias, "bias", shape.filters);
  const ConvolutionKernel& row = convolution_kernel_for(kernel, ConvolutionKind::kF32);
  const py::gil_scoped_release release;
  return std::make_unique<PackedFilters>(row, shape, values, bias_data);
}

std::unique_ptr<PackedFilters> pack_codes(const py::array& filters, const py::array& scale,
                                          const std::optional<py::array>& bias, std::size_t groups,
                                          const std::string& kernel) {
  const auto* codes = input<std::int8_t>(filters, "filters", 4);
  const FilterShape shape = filter_shape(filters, groups);
  const float* scales = input<float>(scale, "scale");
  check_size(scale, "scale", shape.filters);
  const float* bias_data = optional_input<float>(bias, "bias", shape.filters);
  const ConvolutionKernel& row = convolution_kernel_for(kernel, ConvolutionKind::kS8);
  const py::gil_scoped_release release;
  return std::make_unique<PackedFilters>(row, shape, codes, scales, bias_data);
}

template <typename T>
MatrixView<T> as_rows(const Planes<T>& planes, std::size_t plane) {
  return {planes.data, planes.images * planes.channels, plane, plane};
}

template <typename T, typename Array>
void check_output(const char* name, const Planes<T>& planes, std::size_t images, std::size_t filters,
                  const Array& array) {
  if (planes.images != images || planes.channels != filters)
    throw py::value_error(std::string(name) + ": expected " + std::to_string(images) + " images of " +
                          std::to_string(filters) + " planes, got " + shape_text(array));
}

// x are images in either order; out and residual are (images, filters, rows, columns).
void run(const PackedFilters& self, const py::array& x, int image_axis, const WindowShape& shape, py::array& out,
         const std::string& activation, const std::optional<ScaleAndZeroPoint>& input_scale,
         const std::optional<py::array>& residual, const std::optional<ScaleAndZeroPoint>& output_scale) {
  const FilterShape& sizes = self.shape();
  const bool integers = self.kernel().kind == ConvolutionKind::kS8;
  if ((input_scale || output_scale) && !integers)
    throw py::value_error("input_scale, output_scale: this kernel computes in floats");
  if (shape.rows.kernel != sizes.rows || shape.columns.kernel != sizes.columns)
    throw py::value_error("shape: expected windows of " + std::to_string(sizes.rows) + " x " +
                          std::to_string(sizes.columns));
  const std::size_t rows = shape.rows.size, columns = shape.columns.size, plane = shape.out_plane();
  ImageInput input{};
  if (input_scale) input.scale = static_scale(*input_scale, "input_scale");
  std::size_t images = 0, channels = 0;
  if (input_scale && is_int8(x)) {
    input.codes = input_planes<std::int8_t>(x, "x", image_axis, rows, columns);
    images = input.codes.images;
    channels = input.codes.channels;
  } else {
    input.values = input_planes<float>(x, "x", image_axis, rows, columns);
    images = input.values.images;
    channels = input.values.channels;
  }
  if (channels != sizes.group_channels * sizes.groups)
    throw py::value_error("x: expected " + std::to_string(sizes.group_channels * sizes.groups) + " channels, got " +
                          shape_text(x));
  LinearOutput output;
  output.activation = activation_named(activation);
  if (output_scale) {
    output.scale = static_scale(*output_scale, "output_scale");
    const auto planes = output_planes<std::int8_t>(out, "out", 0, shape.rows.out, shape.columns.out);
    check_output("out", planes, images, sizes.filters, out);
    output.codes = as_rows(planes, plane);
  } else {
    const auto planes = output_planes<float>(out, "out", 0, shape.rows.out, shape.columns.out);
    check_output("out", planes, images, sizes.filters, out);
    output.values = as_rows(planes, plane);
  }
  if (residual) {
    const auto planes = input_planes<float>(*residual, "residual", 0, shape.rows.out, shape.columns.out);
    check_output("residual", planes, images, sizes.filters, *residual);
    output.residual = as_rows(planes, plane);
    check_no_overlap(out, "out", *residual, "residual");
  }
  check_no_overlap(out, "out", x, "x");
  const py::gil_scoped_release release;
  convolve(input, self, shape, output);
}

}  // namespace

void register_packed_filters(py::module_& module) {
  module.def("convolution_kernels", [] {
    py::list rows;
    for (const ConvolutionKernel& kernel : convolution_kernels()) {
      py::dict entry = describe_kernel(kernel, "convolution");
      entry["kind"] = kernel.kind == ConvolutionKind::kS8 ? "s8" : "f32";
      entry["mr"] = kernel.mr;
      entry["positions"] = kernel.positions;
      entry["single_positions"] = kernel.single_positions;
      rows.append(entry);
    }
    return rows;
  });
  py::class_<PackedFilters>(module, "PackedFilters")
      .def_static("from_floats", &pack_floats, py::arg("filters"), py::arg("bias"), py::arg("groups"), py::kw_only(),
                  py::arg("kernel") = "")
      .def_static("from_codes", &pack_codes, py::arg("filters"), py::arg("scale"), py::arg("bias"), py::arg("groups"),
                  py::kw_only(), py::arg("kernel") = "")
      .def("run", &run, py::arg("x"), py::arg("image_axis"), py::arg("shape"), py::arg("out"), py::arg("activation"),
           py::kw_only(), py::arg("input_scale") = py::none(), py::arg("residual") = py::none(),
           py::arg("output_scale") = py::none())
      .def_property_readonly("kernel", [](const PackedFilters& self) { return self.kernel().name; })
      .def_property_readonly("nbytes", &PackedFilters::nbytes);
}

}  // namespace paring::bindings
