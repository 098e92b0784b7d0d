#include <pybind11/stl.h>

#include <memory>

#include "bindings/arrays.h"
#include "bindings/gemm_kernel.h"
#include "bindings/kernel_list.h"
#include "bindings/linear_arguments.h"
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

std::unique_ptr<PackedMatrix> pack_codes(const py::array& data, const py::array& scale,
                                         const std::optional<py::array>& zero_point, int bits, std::size_t columns,
                                         std::size_t group_size, const std::optional<py::array>& bias,
                                         const std::string& kernel) {
  QuantizedView view = quantized_view(data, scale, zero_point, bits, columns, group_size);
  const float* bias_data = optional_input<float>(bias, "bias", view.data.rows);
  const GemmKernel& row = kernel_for(kernel, PackedMatrix::type_for_bits(bits));
  const py::gil_scoped_release release;
  return std::make_unique<PackedMatrix>(row, view, bias_data);
}

void run(const PackedMatrix& self, const py::array& x, py::array& out, const std::string& activation) {
  const auto [input_view, output_view] = linear_views(x, out, self.k(), self.n());
  const Activation function = activation_named(activation);
  const py::gil_scoped_release release;
  gemm(input_view, self, function, output_view);
}

}  // namespace

void register_gemm(py::module_& module) {
  module.def("gemm_kernels", [] {
    py::list rows;
    for (const GemmKernel& kernel : gemm_kernels()) {
      py::dict entry = describe_kernel(kernel, "gemm");
      entry["weight_type"] = kernel.layout.type == WeightType::kF32  ? "f32"
                             : kernel.layout.type == WeightType::kU8 ? "u8"
                                                                     : "u4";
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
      .def_static("from_codes", &pack_codes, py::arg("data"), py::arg("scale"), py::arg("zero_point"), py::arg("bits"),
                  py::arg("columns"), py::arg("group_size"), py::arg("bias"), py::kw_only(), py::arg("kernel") = "")
      .def("run", &run, py::arg("x"), py::arg("out"), py::arg("activation"))
      .def("unpack_codes",
           [](const PackedMatrix& self) {
             auto out = new_matrix<std::uint8_t>(self.n(), self.k());
             const auto codes = self.unpack_codes();
             std::copy(codes.begin(), codes.end(), out.mutable_data());
             return out;
           })
      .def("unpack_floats",
           [](const PackedMatrix& self) {
             auto out = new_matrix<float>(self.n(), self.k());
             const auto values = self.unpack_floats();
             std::copy(values.begin(), values.end(), out.mutable_data());
             return out;
           })
      .def_property_readonly("kernel", [](const PackedMatrix& self) { return self.kernel().name; })
      .def_property_readonly("nbytes", &PackedMatrix::nbytes);
}

}  // namespace paring::bindings
