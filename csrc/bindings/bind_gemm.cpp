#include <pybind11/stl.h>

#include <memory>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/gemm_kernel.h"
#include "bindings/kernel_list.h"
#include "bindings/linear_arguments.h"
#include "bindings/overlap.h"
#include "bindings/registers.h"
#include "gemm/gemm.h"

namespace paring::bindings {
namespace {

std::unique_ptr<PackedMatrix> pack_floats(const py::array& weight, const std::optional<py::array>& bias,
                                          const std::string& kernel) {
  const auto view = input_matrix<float>(weight, "weight");
  const float* bias_data = optional_input<float>(bias, "bias", view.rows);
  const GemmKernel& row = kernel_for(kernel, WeightType::kF32);
  const py::gil_scoped_release release;
  return std::make_unique<PackedMatrix>(row, view, bias_data);
}

// 16-bit floats come as their bits: NumPy has no bfloat16 of its own.
std::unique_ptr<PackedMatrix> pack_halves(const py::array& weight, const std::optional<py::array>& bias, bool bfloat16,
                                          const std::string& kernel) {
  const auto view = input_matrix<std::uint16_t>(weight, "weight");
  const float* bias_data = optional_input<float>(bias, "bias", view.rows);
  const GemmKernel& row = kernel_for(kernel, bfloat16 ? WeightType::kBF16 : WeightType::kF16);
  const py::gil_scoped_release release;
  return std::make_unique<PackedMatrix>(row, view, bias_data);
}

std::unique_ptr<PackedMatrix> pack_codes(const py::array& data, const py::array& scale,
                                         const std::optional<py::array>& zero_point, int bits, std::size_t columns,
                                         std::size_t group_size, const std::optional<py::array>& bias,
                                         const std::string& compute, const std::string& kernel) {
  QuantizedView view = quantized_view(data, scale, zero_point, bits, columns, group_size);
  const float* bias_data = optional_input<float>(bias, "bias", view.data.rows);
  const GemmKernel& row = kernel_for(kernel, PackedMatrix::type_for_bits(bits), compute_named(compute));
  const py::gil_scoped_release release;
  return std::make_unique<PackedMatrix>(row, view, bias_data);
}

template <typename T>
py::array_t<T> matrix_of(const PackedMatrix& self, const std::vector<T>& values) {
  auto out = new_matrix<T>(self.n(), self.k());
  std::copy(values.begin(), values.end(), out.mutable_data());
  return out;
}

void run(const PackedMatrix& self, const py::array& x, py::array& out, const std::string& activation) {
  const auto [input_view, output_view] = linear_views(x, out, self.k(), self.n());
  const Activation function = activation_named(activation);
  const py::gil_scoped_release release;
  gemm({input_view, {}, {}}, self, {.activation = function, .residual = {}, .values = output_view, .codes = {}});
}

// x and out are float32, or int8 where there is a scale for them.
void run_scaled(const PackedMatrix& self, const py::array& x, py::array& out, const std::string& activation,
                const std::optional<ScaleAndZeroPoint>& input_scale, const std::optional<py::array>& residual,
                const std::optional<ScaleAndZeroPoint>& output_scale) {
  LinearInput input;
  LinearOutput output;
  output.activation = activation_named(activation);
  if ((input_scale || output_scale) && self.kernel().activations == ActivationLayout::kFloats)
    throw py::value_error("input_scale, output_scale: this kernel computes in floats");
  if (input_scale) input.scale = static_scale(*input_scale, "input_scale");
  const bool codes_in = input.scale && is_int8(x);
  if (codes_in) {
    input.codes = input_matrix<std::int8_t>(x, "x");
  } else {
    input.values = input_matrix<float>(x, "x");
  }
  if (output_scale) {
    output.scale = static_scale(*output_scale, "output_scale");
    output.codes = output_matrix<std::int8_t>(out, "out");
  } else {
    output.values = output_matrix<float>(out, "out");
  }
  const std::size_t m = input.rows();
  check_linear_shapes(x, out, m, codes_in ? input.codes.cols : input.values.cols, self.k(), self.n());
  if (residual) {
    output.residual = input_matrix<float>(*residual, "residual");
    if (output.residual.rows != m || output.residual.cols != self.n())
      throw py::value_error("residual: expected the shape of out, got " + shape_text(*residual));
    check_no_overlap(out, "out", *residual, "residual");
  }
  check_no_overlap(out, "out", x, "x");
  const py::gil_scoped_release release;
  gemm(input, self, output);
}

}  // namespace

void register_gemm(py::module_& module) {
  module.def("gemm_kernels", [] {
    py::list rows;
    for (const GemmKernel& kernel : gemm_kernels()) {
      py::dict entry = describe_kernel(kernel, "gemm");
      entry["weight_type"] = name_of(kernel.layout.type);
      entry["compute"] = name_of(kernel.compute());
      entry["mr"] = kernel.mr;
      entry["nr"] = kernel.layout.nr;
      entry["kr"] = kernel.layout.kr;
      rows.append(entry);
    }
    return rows;
  });
  py::class_<PackedMatrix>(module, "PackedMatrix")
      .def_static("from_floats", &pack_floats, py::arg("weight"), py::arg("bias"), py::kw_only(),
                  py::arg("kernel") = "")
      .def_static("from_halves", &pack_halves, py::arg("weight"), py::arg("bias"), py::kw_only(), py::arg("bfloat16"),
                  py::arg("kernel") = "")
      .def_static("from_codes", &pack_codes, py::arg("data"), py::arg("scale"), py::arg("zero_point"), py::arg("bits"),
                  py::arg("columns"), py::arg("group_size"), py::arg("bias"), py::kw_only(),
                  py::arg("compute") = "int8", py::arg("kernel") = "")
      .def("run", &run, py::arg("x"), py::arg("out"), py::arg("activation"))
      .def("run_scaled", &run_scaled, py::arg("x"), py::arg("out"), py::arg("activation"), py::kw_only(),
           py::arg("input_scale") = py::none(), py::arg("residual") = py::none(), py::arg("output_scale") = py::none())
      .def("unpack_codes", [](const PackedMatrix& self) { return matrix_of(self, self.unpack_codes()); })
      .def("unpack_floats", [](const PackedMatrix& self) { return matrix_of(self, self.unpack_floats()); })
      .def("unpack_halves", [](const PackedMatrix& self) { return matrix_of(self, self.unpack_halves()); })
      .def_property_readonly("kernel", [](const PackedMatrix& self) { return self.kernel().name; })
      .def_property_readonly("nbytes", &PackedMatrix::nbytes);
}

}  // namespace paring::bindings
