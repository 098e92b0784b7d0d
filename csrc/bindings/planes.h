// Arrays of images as planes.
#pragma once

#include <string>

#include "bindings/arrays.h"
#include "windows/window_shape.h"

namespace paring::bindings {

// Arrays of images have their images on axis 0 and their channels on axis 1, or the other way round.
template <typename T>
Planes<T> planes_of(const py::array& array, T* data, const char* name, int image_axis, std::size_t rows,
                    std::size_t columns) {
  if (image_axis != 0 && image_axis != 1)
    throw py::value_error("image axis: expected 0 or 1, got " + std::to_string(image_axis));
  const auto size = [&](int axis) { return static_cast<std::size_t>(array.shape(axis)); };
  if (size(2) != rows || size(3) != columns)
    throw py::value_error(std::string(name) + ": expected planes of " + std::to_string(rows) + " x " +
                          std::to_string(columns) + ", got " + shape_text(array));
  const std::size_t plane = rows * columns;
  if (image_axis == 0) return {data, size(0), size(1), size(1) * plane, plane};
  return {data, size(1), size(0), plane, size(1) * plane};
}

template <typename T>
Planes<const T> input_planes(const py::array& array, const char* name, int image_axis, std::size_t rows,
                             std::size_t columns) {
  return planes_of(array, input<T>(array, name, 4), name, image_axis, rows, columns);
}

template <typename T>
Planes<T> output_planes(py::array& array, const char* name, int image_axis, std::size_t rows, std::size_t columns) {
  return planes_of(array, output<T>(array, name, 4), name, image_axis, rows, columns);
}

template <typename A, typename B>
void check_alike(const char* name, const Planes<A>& planes, const Planes<B>& others) {
  if (planes.images == others.images && planes.channels == others.channels) return;
  throw py::value_error(std::string(name) + ": expected " + std::to_string(others.images) + " images of " +
                        std::to_string(others.channels) + " channels, got " + std::to_string(planes.images) + " of " +
                        std::to_string(planes.channels));
}

template <typename T>
Planes<const T> read_only(const Planes<T>& planes) {
  return {planes.data, planes.images, planes.channels, planes.image_stride, planes.channel_stride};
}

}  // namespace paring::bindings
