#include <pybind11/stl.h>

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/linear_arguments.h"
#include "bindings/overlap.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "quantize/codes.h"
#include "quantize/quantize.h"

namespace paring::bindings {
namespace {

const QuantizeLoops& loops_for(const std::string& isa) { return select(quantize_loops(), features_or_active(isa)); }

void check_bits(int bits, int most) {
  if (bits < 2 || bits > most)
    throw py::value_error("bits: expected 2 to " + std::to_string(most) + ", got " + std::to_string(bits));
}

std::string shape_text(std::size_t rows, std::size_t columns) {
  return "(" + std::to_string(rows) + ", " + std::to_string(columns) + ")";
}

template <typename T>
void check_shape(MatrixView<T> view, const char* name, std::size_t rows, std::size_t columns) {
  if (view.rows == rows && view.cols == columns) return;
  throw py::value_error(std::string(name) + ": expected " + shape_text(rows, columns) + ", got " +
                        shape_text(view.rows, view.cols));
}

// Codes are int8 at 8 bits and packed uint8 below.
MatrixView<std::uint8_t> output_codes(py::array& data, const char* name, int bits) {
  if (bits < 8) return output_matrix<std::uint8_t>(data, name);
  const auto view = output_matrix<std::int8_t>(data, name);
  return {reinterpret_cast<std::uint8_t*>(view.data), view.rows, view.cols, view.row_stride};
}

MatrixView<const std::uint8_t> input_codes(const py::array& data, const char* name, int bits) {
  if (bits < 8) return input_matrix<std::uint8_t>(data, name);
  const auto view = input_matrix<std::int8_t>(data, name);
  return {reinterpret_cast<const std::uint8_t*>(view.data), view.rows, view.cols, view.row_stride};
}

Convention convention_named(const std::string& name) {
  if (name == "paring") return Convention::kParing;
  if (name == "compressed-tensors") return Convention::kCompressedTensors;
  throw py::value_error("convention: expected paring or compressed-tensors, got '" + name + "'");
}

void quantize(const py::array& weight, int bits, bool per_tensor, std::size_t group_size, bool symmetric,
              const std::string& convention, py::array& data_out, py::array& scale_out,
              std::optional<py::array>& zero_point_out, const std::string& isa) {
  check_bits(bits, 8);
  if (per_tensor && group_size != 0)
    throw py::value_error("group_size: expected 0 for one scale per tensor, got " + std::to_string(group_size));
  const auto view = input_matrix<float>(weight, "weight");
  QuantizeRequest request{view, {bits, symmetric, convention_named(convention)}, per_tensor, group_size, {}, {}, {}};
  request.data = output_codes(data_out, "data_out", bits);
  check_shape(request.data, "data_out", view.rows, packed_row_bytes(view.cols, bits));
  const std::size_t scale_rows = per_tensor ? 1 : view.rows, groups = group_count(view.cols, group_size);
  const auto scales = output_matrix<float>(scale_out, "scale_out");
  check_shape(scales, "scale_out", scale_rows, groups);
  request.scales = scales.data;
  check_no_overlap(data_out, "data_out", weight, "weight");
  check_no_overlap(scale_out, "scale_out", weight, "weight");
  check_no_overlap(scale_out, "scale_out", data_out, "data_out");
  if (zero_point_out.has_value() == symmetric)
    throw py::value_error("zero_point_out: expected an array exactly if not symmetric");
  if (zero_point_out) {
    const auto zero_points = output_matrix<std::int8_t>(*zero_point_out, "zero_point_out");
    check_shape(zero_points, "zero_point_out", scale_rows, groups);
    check_no_overlap(*zero_point_out, "zero_point_out", weight, "weight");
    check_no_overlap(*zero_point_out, "zero_point_out", data_out, "data_out");
    check_no_overlap(*zero_point_out, "zero_point_out", scale_out, "scale_out");
    request.zero_points = zero_points.data;
  }
  const QuantizeLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  quantize_weight(request, loops);
}

void dequantize(const py::array& data, const py::array& scale, const std::optional<py::array>& zero_point, int bits,
                std::size_t group_size, py::array& out, const std::string& isa) {
  const auto out_view = output_matrix<float>(out, "out");
  // A group beyond the row is the row.
  const std::size_t group = std::min(group_size, std::max<std::size_t>(out_view.cols, 1));
  const QuantizedView view = quantized_view(data, scale, zero_point, bits, out_view.cols, group);
  check_shape(out_view, "out", view.data.rows, view.columns);
  check_no_overlap(out, "out", data, "data");
  check_no_overlap(out, "out", scale, "scale");
  if (zero_point) check_no_overlap(out, "out", *zero_point, "zero_point");
  const QuantizeLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  dequantize_weight(view, out_view, loops);
}

py::tuple ranges(const py::array& weight, std::size_t group_size, const std::string& isa) {
  const auto view = input_matrix<float>(weight, "weight");
  const std::size_t groups = group_count(view.cols, group_size);
  auto smallest = new_matrix<float>(view.rows, groups), largest = new_matrix<float>(view.rows, groups);
  float *low = smallest.mutable_data(), *high = largest.mutable_data();
  const QuantizeLoops& loops = loops_for(isa);
  {
    const py::gil_scoped_release release;
    group_ranges(view, group_size, low, high, loops);
  }
  return py::make_tuple(smallest, largest);
}

py::array_t<std::uint8_t> pack(const py::array& codes, int bits) {
  check_bits(bits, 7);
  const auto view = input_matrix<std::int8_t>(codes, "codes");
  auto packed = new_matrix<std::uint8_t>(view.rows, packed_row_bytes(view.cols, bits));
  const auto packed_view = output_matrix<std::uint8_t>(packed, "packed");
  {
    const py::gil_scoped_release release;
    pack_codes(view, bits, packed_view);
  }
  return packed;
}

py::array_t<std::int8_t> unpack(const py::array& data, int bits, std::size_t columns) {
  check_bits(bits, 8);
  const auto view = input_codes(data, "data", bits);
  check_shape(view, "data", view.rows, packed_row_bytes(columns, bits));
  auto codes = new_matrix<std::int8_t>(view.rows, columns);
  const auto codes_view = output_matrix<std::int8_t>(codes, "codes");
  {
    const py::gil_scoped_release release;
    unpack_codes(view, bits, codes_view);
  }
  return codes;
}

}  // namespace

void register_quantize(py::module_& module) {
  module.def("quantize", &quantize, py::arg("weight"), py::arg("bits"), py::arg("per_tensor"), py::arg("group_size"),
             py::arg("symmetric"), py::arg("convention"), py::arg("data_out"), py::arg("scale_out"),
             py::arg("zero_point_out"), py::kw_only(), py::arg("isa") = "");
  module.def("dequantize", &dequantize, py::arg("data"), py::arg("scale"), py::arg("zero_point"), py::arg("bits"),
             py::arg("group_size"), py::arg("out"), py::kw_only(), py::arg("isa") = "");
  module.def("ranges", &ranges, py::arg("weight"), py::arg("group_size"), py::kw_only(), py::arg("isa") = "");
  module.def("pack_codes", &pack, py::arg("codes"), py::arg("bits"));
  module.def("unpack_codes", &unpack, py::arg("data"), py::arg("bits"), py::arg("columns"));
}

}  // namespace paring::bindings
