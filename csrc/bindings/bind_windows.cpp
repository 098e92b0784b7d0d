#include <pybind11/stl.h>

#include <array>
#include <limits>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/overlap.h"
#include "bindings/planes.h"
#include "bindings/registers.h"
#include "cpu/level.h"
#include "windows/columns.h"
#include "windows/depthwise.h"
#include "windows/max_pool.h"
#include "windows/window_shape.h"

namespace paring::bindings {
namespace {

using Pair = std::array<std::size_t, 2>;

const WindowLoops& loops_for(const std::string& isa) { return select(window_loops(), features_or_active(isa)); }

WindowShape make_shape(Pair size, Pair kernel, Pair strides, Pair dilations, Pair pads, Pair out) {
  const auto check = [](const char* name, Pair values, std::size_t least) {
    for (const std::size_t value : values)
      if (value < least || value > kMostOfAxis)
        throw py::value_error(std::string(name) + ": expected numbers from " + std::to_string(least) +
                              " to 2**31, got " + std::to_string(value));
  };
  check("size", size, 0);
  check("kernel", kernel, 1);
  check("strides", strides, 1);
  check("dilations", dilations, 1);
  check("pads", pads, 0);
  check("out", out, 0);
  const auto axis = [&](std::size_t i) {
    return WindowAxis{size[i], kernel[i], strides[i], dilations[i], pads[i], out[i]};
  };
  return {axis(0), axis(1)};
}

ColumnChunk chunk_of(const WindowShape& shape, std::size_t images, std::size_t channels, Pair image_range,
                     Pair row_range, const py::array& columns) {
  const auto check = [](const char* name, Pair range, std::size_t most) {
    if (range[0] > range[1] || range[1] > most)
      throw py::value_error(std::string(name) + ": expected a range within " + std::to_string(most) + ", got " +
                            std::to_string(range[0]) + " to " + std::to_string(range[1]));
  };
  check("images", image_range, images);
  check("rows", row_range, shape.rows.out);
  const ColumnChunk chunk{image_range[0], image_range[1], row_range[0], row_range[1]};
  if (shape.taps() > kMostOfAxis)
    throw py::value_error("kernel: expected at most 2**31 taps, got " + std::to_string(shape.taps()));
  std::size_t rows = 0, total = 0;
  const bool beyond = __builtin_mul_overflow(channels, shape.taps(), &rows) ||
                      __builtin_mul_overflow(row_range[1] - row_range[0], shape.columns.out, &total) ||
                      __builtin_mul_overflow(total, image_range[1] - image_range[0], &total);
  if (beyond || static_cast<std::size_t>(columns.shape(0)) != rows ||
      static_cast<std::size_t>(columns.shape(1)) != total)
    throw py::value_error("columns: expected " + std::to_string(rows) + " x " + std::to_string(total) + ", got " +
                          shape_text(columns));
  return chunk;
}

bool is_double(const py::array& array) { return py::isinstance<py::array_t<double>>(array); }

template <typename T>
void gather_as(const py::array& x, int image_axis, const WindowShape& shape, Pair images, Pair rows, py::array& columns,
               const std::string& isa) {
  const auto from = input_planes<T>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  T* to = output<T>(columns, "columns", 2);
  const ColumnChunk chunk = chunk_of(shape, from.images, from.channels, images, rows, columns);
  check_no_overlap(columns, "columns", x, "x");
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  gather_columns(from, shape, chunk, to, loops);
}

template <typename T>
void scatter_as(const py::array& columns, const WindowShape& shape, Pair images, Pair rows, py::array& x,
                int image_axis, const std::string& isa) {
  const T* from = input<T>(columns, "columns", 2);
  const auto to = output_planes<T>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const ColumnChunk chunk = chunk_of(shape, to.images, to.channels, images, rows, columns);
  check_no_overlap(x, "x", columns, "columns");
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  scatter_columns(from, shape, chunk, to, loops);
}

template <typename T>
void pool_as(const py::array& x, int image_axis, const WindowShape& shape, py::array& y,
             std::optional<py::array>& places, const std::string& isa) {
  const auto from = input_planes<T>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const auto to = output_planes<T>(y, "y", image_axis, shape.rows.out, shape.columns.out);
  check_alike("y", to, from);
  check_no_overlap(y, "y", x, "x");
  if (shape.plane() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw py::value_error("x: expected planes of fewer than 2**31 elements, got " + shape_text(x));
  if (!every_window_meets_input(shape.rows) || !every_window_meets_input(shape.columns))
    throw py::value_error("windows: expected each to meet the input, got one that is padding only");
  Planes<std::int32_t> kept{};
  if (places) {
    kept = output_planes<std::int32_t>(*places, "places", image_axis, shape.rows.out, shape.columns.out);
    check_alike("places", kept, from);
    check_no_overlap(*places, "places", x, "x");
    check_no_overlap(*places, "places", y, "y");
  }
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  max_pool(from, shape, to, kept, loops);
}

template <typename T>
void pool_gradient_as(const py::array& dy, int dy_image_axis, const py::array& places, int image_axis,
                      const WindowShape& shape, py::array& dx) {
  const auto from = input_planes<T>(dy, "dy", dy_image_axis, shape.rows.out, shape.columns.out);
  const auto at = input_planes<std::int32_t>(places, "places", image_axis, shape.rows.out, shape.columns.out);
  const auto to = output_planes<T>(dx, "dx", image_axis, shape.rows.size, shape.columns.size);
  check_alike("places", at, from);
  check_alike("dx", to, from);
  check_no_overlap(dx, "dx", dy, "dy");
  check_no_overlap(dx, "dx", places, "places");
  const py::gil_scoped_release release;
  max_pool_gradient(from, at, shape, to);
}

// Checks that filters (channels of y, kernel rows, kernel columns) go with both.
template <typename T>
void check_filters(const py::array& filters, const WindowShape& shape, const Planes<const T>& x,
                   const Planes<const T>& y) {
  const auto size = [&](int axis) { return static_cast<std::size_t>(filters.shape(axis)); };
  if (x.images != y.images || x.channels == 0 || y.channels % x.channels != 0)
    throw py::value_error("expected as many images, and a multiple of " + std::to_string(x.channels) +
                          " channels, on both sides, got " + std::to_string(x.images) + " and " +
                          std::to_string(y.images) + " images and " + std::to_string(y.channels) + " channels");
  if (size(0) != y.channels || size(1) != shape.rows.kernel || size(2) != shape.columns.kernel)
    throw py::value_error("filters: expected (" + std::to_string(y.channels) + ", " +
                          std::to_string(shape.rows.kernel) + ", " + std::to_string(shape.columns.kernel) + "), got " +
                          shape_text(filters));
}

template <typename T>
void depthwise_as(const py::array& x, int image_axis, const py::array& filters, const std::optional<py::array>& bias,
                  const WindowShape& shape, py::array& y, int y_image_axis, const std::string& isa) {
  const auto from = input_planes<T>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const auto to = output_planes<T>(y, "y", y_image_axis, shape.rows.out, shape.columns.out);
  const T* weights = input<T>(filters, "filters", 3);
  check_filters(filters, shape, from, read_only(to));
  const T* start = optional_input<T>(bias, "bias", to.channels);
  check_no_overlap(y, "y", x, "x");
  check_no_overlap(y, "y", filters, "filters");
  if (bias) check_no_overlap(y, "y", *bias, "bias");
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  depthwise(from, weights, start, shape, to, loops);
}

template <typename T>
void depthwise_input_gradient_as(const py::array& dy, int dy_image_axis, const py::array& filters,
                                 const WindowShape& shape, py::array& dx, int image_axis, const std::string& isa) {
  const auto from = input_planes<T>(dy, "dy", dy_image_axis, shape.rows.out, shape.columns.out);
  const auto to = output_planes<T>(dx, "dx", image_axis, shape.rows.size, shape.columns.size);
  const T* weights = input<T>(filters, "filters", 3);
  check_filters(filters, shape, read_only(to), from);
  check_no_overlap(dx, "dx", dy, "dy");
  check_no_overlap(dx, "dx", filters, "filters");
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  depthwise_input_gradient(from, weights, shape, to, loops);
}

template <typename T>
void depthwise_filter_gradient_as(const py::array& x, int image_axis, const py::array& dy, int dy_image_axis,
                                  const WindowShape& shape, py::array& filters, const std::string& isa) {
  const auto from = input_planes<T>(x, "x", image_axis, shape.rows.size, shape.columns.size);
  const auto with = input_planes<T>(dy, "dy", dy_image_axis, shape.rows.out, shape.columns.out);
  T* to = output<T>(filters, "filters", 3);
  check_filters(filters, shape, from, with);
  check_no_overlap(filters, "filters", x, "x");
  check_no_overlap(filters, "filters", dy, "dy");
  const WindowLoops& loops = loops_for(isa);
  const py::gil_scoped_release release;
  depthwise_filter_gradient(from, with, shape, to, loops);
}

}  // namespace

void register_windows(py::module_& module) {
  py::class_<WindowShape>(module, "WindowShape")
      .def(py::init(&make_shape), py::arg("size"), py::arg("kernel"), py::arg("strides"), py::arg("dilations"),
           py::arg("pads"), py::arg("out"));
  module.def(
      "gather_columns",
      [](const py::array& x, int image_axis, const WindowShape& shape, Pair images, Pair rows, py::array& columns,
         const std::string& isa) {
        (is_double(x) ? gather_as<double> : gather_as<float>)(x, image_axis, shape, images, rows, columns, isa);
      },
      py::arg("x"), py::arg("image_axis"), py::arg("shape"), py::arg("images"), py::arg("rows"), py::arg("columns"),
      py::kw_only(), py::arg("isa") = "");
  module.def(
      "scatter_columns",
      [](const py::array& columns, const WindowShape& shape, Pair images, Pair rows, py::array& x, int image_axis,
         const std::string& isa) {
        (is_double(columns) ? scatter_as<double> : scatter_as<float>)(columns, shape, images, rows, x, image_axis, isa);
      },
      py::arg("columns"), py::arg("shape"), py::arg("images"), py::arg("rows"), py::arg("x"), py::arg("image_axis"),
      py::kw_only(), py::arg("isa") = "");
  module.def(
      "max_pool",
      [](const py::array& x, int image_axis, const WindowShape& shape, py::array& y, std::optional<py::array> places,
         const std::string& isa) {
        (is_double(x) ? pool_as<double> : pool_as<float>)(x, image_axis, shape, y, places, isa);
      },
      py::arg("x"), py::arg("image_axis"), py::arg("shape"), py::arg("y"), py::arg("places"), py::kw_only(),
      py::arg("isa") = "");
  module.def(
      "max_pool_gradient",
      [](const py::array& dy, int dy_image_axis, const py::array& places, int image_axis, const WindowShape& shape,
         py::array& dx) {
        (is_double(dy) ? pool_gradient_as<double> : pool_gradient_as<float>)(dy, dy_image_axis, places, image_axis,
                                                                             shape, dx);
      },
      py::arg("dy"), py::arg("dy_image_axis"), py::arg("places"), py::arg("image_axis"), py::arg("shape"),
      py::arg("dx"));
  module.def(
      "depthwise",
      [](const py::array& x, int image_axis, const py::array& filters, const std::optional<py::array>& bias,
         const WindowShape& shape, py::array& y, int y_image_axis, const std::string& isa) {
        (is_double(x) ? depthwise_as<double> : depthwise_as<float>)(x, image_axis, filters, bias, shape, y,
                                                                    y_image_axis, isa);
      },
      py::arg("x"), py::arg("image_axis"), py::arg("filters"), py::arg("bias"), py::arg("shape"), py::arg("y"),
      py::arg("y_image_axis"), py::kw_only(), py::arg("isa") = "");
  module.def(
      "depthwise_input_gradient",
      [](const py::array& dy, int dy_image_axis, const py::array& filters, const WindowShape& shape, py::array& dx,
         int image_axis, const std::string& isa) {
        (is_double(dy) ? depthwise_input_gradient_as<double>
                       : depthwise_input_gradient_as<float>)(dy, dy_image_axis, filters, shape, dx, image_axis, isa);
      },
      py::arg("dy"), py::arg("dy_image_axis"), py::arg("filters"), py::arg("shape"), py::arg("dx"),
      py::arg("image_axis"), py::kw_only(), py::arg("isa") = "");
  module.def(
      "depthwise_filter_gradient",
      [](const py::array& x, int image_axis, const py::array& dy, int dy_image_axis, const WindowShape& shape,
         py::array& filters, const std::string& isa) {
        (is_double(x) ? depthwise_filter_gradient_as<double>
                      : depthwise_filter_gradient_as<float>)(x, image_axis, dy, dy_image_axis, shape, filters, isa);
      },
      py::arg("x"), py::arg("image_axis"), py::arg("dy"), py::arg("dy_image_axis"), py::arg("shape"),
      py::arg("filters"), py::kw_only(), py::arg("isa") = "");
}

}  // namespace paring::bindings
