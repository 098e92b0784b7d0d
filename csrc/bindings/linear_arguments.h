// What the dense and the sparse packed layers take from Python in the same way.
#pragma once

#include <limits>
#include <string>
#include <utility>

#include "bindings/arrays.h"
#include "nn/epilogue.h"
#include "pack/packed_matrix.h"
#include "quantize/activation.h"
#include "quantize/codes.h"

namespace paring::bindings {

inline Activation activation_named(const std::string& name) {
  if (name.empty()) return Activation::kNone;
  if (name == "relu") return Activation::kRelu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "silu") return Activation::kSilu;
  throw py::value_error("activation: expected relu, gelu, silu or nothing, got '" + name + "'");
}

using ScaleAndZeroPoint = std::pair<float, int>;

inline StaticScale static_scale(const ScaleAndZeroPoint& given, const char* name) {
  const auto [scale, zero_point] = given;
  if (!(scale >= kSmallestNormal && scale <= std::numeric_limits<float>::max() && zero_point >= -128 &&
        zero_point <= 127)) {
    throw py::value_error(std::string(name) + ": expected a positive normal scale and a zero point in -128 ... 127");
  }
  return {scale, zero_point};
}

inline bool is_int8(const py::array& array) { return py::isinstance<py::array_t<std::int8_t>>(array); }

// Throws ValueError unless x, which is (m, x_columns), and out are (m, k) and (m, n).
inline void check_linear_shapes(const py::array& x, const py::array& out, std::size_t m, std::size_t x_columns,
                                std::size_t k, std::size_t n) {
  if (x_columns == k && static_cast<std::size_t>(out.shape(0)) == m && static_cast<std::size_t>(out.shape(1)) == n)
    return;
  throw py::value_error("x and out: expected (m, " + std::to_string(k) + ") and (m, " + std::to_string(n) + "), got " +
                        shape_text(x) + " and " + shape_text(out));
}

// x (m, k) and out (m, n), which must not share memory (Python has checked; this guards the kernels).
inline std::pair<MatrixView<const float>, MatrixView<float>> linear_views(const py::array& x, py::array& out,
                                                                          std::size_t k, std::size_t n) {
  const auto x_view = input_matrix<float>(x, "x");
  const auto out_view = output_matrix<float>(out, "out");
  check_linear_shapes(x, out, x_view.rows, x_view.cols, k, n);
  const float *x_end = x_view.data + x_view.rows * k, *out_end = out_view.data + out_view.rows * n;
  if (x_view.data < out_end && out_view.data < x_end) throw py::value_error("out: overlaps x");
  return {x_view, out_view};
}

// The arrays of a QuantizedWeight, checked against each other. They must outlive the view.
inline QuantizedView quantized_view(const py::array& data, const py::array& scale,
                                    const std::optional<py::array>& zero_point, int bits, std::size_t columns,
                                    std::size_t group_size) {
  if (bits < 2 || bits > 8) throw py::value_error("bits: expected 2 to 8, got " + std::to_string(bits));
  QuantizedView view;
  if (bits == 8) {
    const auto codes = input_matrix<std::int8_t>(data, "data");
    view.data = {reinterpret_cast<const std::uint8_t*>(codes.data), codes.rows, codes.cols, codes.row_stride};
  } else {
    view.data = input_matrix<std::uint8_t>(data, "data");
  }
  if (view.data.cols != packed_row_bytes(columns, bits)) {
    throw py::value_error("data: expected rows of " + std::to_string(packed_row_bytes(columns, bits)) + " bytes, got " +
                          shape_text(data));
  }
  const auto scales = input_matrix<float>(scale, "scale");
  const std::size_t groups = group_count(columns, group_size);
  view.per_tensor = scales.rows == 1 && scales.cols == 1 && group_size == 0;
  if (!view.per_tensor && (scales.rows != view.data.rows || scales.cols != groups)) {
    throw py::value_error("scale: expected (" + std::to_string(view.data.rows) + ", " + std::to_string(groups) +
                          ") or (1, 1), got " + shape_text(scale));
  }
  view.columns = columns;
  view.bits = bits;
  view.group_size = group_size;
  view.scales = scales.data;
  view.zero_points = optional_input<std::int8_t>(zero_point, "zero_point", scales.rows * scales.cols);
  return view;
}

}  // namespace paring::bindings
