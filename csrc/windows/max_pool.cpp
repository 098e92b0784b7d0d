#include "windows/max_pool.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "threads/pool.h"
#include "threads/smallest_index.h"
#include "windows/taps.h"

namespace paring {
namespace {

// Elements that are looked at, for which a thread is worth waking.
constexpr std::size_t kGrain = 32768;

// Where the i-th plane in the order of memory lies.
template <typename T>
std::pair<std::size_t, std::size_t> image_and_channel(const Planes<T>& planes, std::size_t i) {
  if (planes.channel_stride > planes.image_stride) return {i % planes.images, i / planes.images};
  return {i / planes.channels, i % planes.channels};
}

// For each output of an axis the first input that its window meets.
std::vector<std::int32_t> first_inputs(const WindowAxis& axis) {
  std::vector<std::int32_t> first(axis.out, -1);
  for (std::size_t tap = 0; tap < axis.kernel; ++tap) {
    const auto [begin, end] = axis.outputs_inside(tap);
    for (std::size_t o = begin; o < end; ++o)
      if (first[o] < 0) first[o] = static_cast<std::int32_t>(axis.position(o, tap));
  }
  return first;
}

std::size_t grain_of(std::size_t work) { return kGrain / std::max<std::size_t>(work, 1) + 1; }

}  // namespace

bool every_window_meets_input(const WindowAxis& axis) {
  const auto first = first_inputs(axis);
  return std::find(first.begin(), first.end(), -1) == first.end();
}

template <typename T>
void max_pool(const Planes<const T>& x, const WindowShape& shape, const Planes<T>& y,
              const Planes<std::int32_t>& places, const WindowLoops& loops) {
  const MaxLoops<T>& max = max_loops<T>(loops);
  const WindowAxis &rows = shape.rows, &columns = shape.columns;
  // The most common case reads its input once and needs no values to start from.
  const auto is_two_by_two = [](const WindowAxis& axis) {
    return axis.kernel == 2 && axis.stride == 2 && axis.dilation == 1 && axis.pad == 0 && axis.out * 2 <= axis.size;
  };
  const bool two_by_two = is_two_by_two(rows) && is_two_by_two(columns);
  const auto first_row = first_inputs(rows), first_column = first_inputs(columns);
  const auto width = static_cast<std::int32_t>(columns.size);
  const auto pool_row = [&](const T* from, std::size_t r, T* best, std::int32_t* place) {
    std::fill_n(best, columns.out, -std::numeric_limits<T>::infinity());
    if (place != nullptr)
      for (std::size_t c = 0; c < columns.out; ++c) place[c] = first_row[r] * width + first_column[c];
    for (std::size_t i = 0; i < rows.kernel; ++i) {
      const auto [top, bottom] = rows.outputs_inside(i);
      if (r < top || r >= bottom) continue;
      for (std::size_t j = 0; j < columns.kernel; ++j) {
        const auto [left, right] = columns.outputs_inside(j);
        if (left == right) continue;
        const std::size_t start = rows.position(r, i) * columns.size + columns.position(left, j);
        max.tap(from + start, columns.stride, right - left, static_cast<std::int32_t>(start), best + left,
                place != nullptr ? place + left : nullptr);
      }
    }
  };
  const auto pool_plane = [&](const T* from, T* best, std::int32_t* place) {
    for (std::size_t r = 0; r < rows.out; ++r) {
      T* best_row = best + r * columns.out;
      std::int32_t* place_row = place != nullptr ? place + r * columns.out : nullptr;
      if (two_by_two) {
        const std::size_t start = 2 * r * columns.size;
        max.two_by_two(from + start, columns.size, columns.out, static_cast<std::int32_t>(start), best_row, place_row);
      } else {
        pool_row(from, r, best_row, place_row);
      }
    }
  };
  parallel_ranges(x.images * x.channels, grain_of(shape.out_plane() * shape.taps()),
                  [&](std::size_t begin, std::size_t end) {
                    for (std::size_t i = begin; i < end; ++i) {
                      const auto [image, channel] = image_and_channel(x, i);
                      pool_plane(x.plane(image, channel), y.plane(image, channel),
                                 places.data != nullptr ? places.plane(image, channel) : nullptr);
                    }
                  });
}

template <typename T>
void max_pool_gradient(const Planes<const T>& dy, const Planes<const std::int32_t>& places, const WindowShape& shape,
                       const Planes<T>& dx) {
  const std::size_t plane = shape.plane(), outputs = shape.out_plane();
  SmallestIndex bad;
  parallel_ranges(dx.images * dx.channels, grain_of(plane + outputs), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto [image, channel] = image_and_channel(dx, i);
      const T* from = dy.plane(image, channel);
      const std::int32_t* place = places.plane(image, channel);
      T* to = dx.plane(image, channel);
      std::fill_n(to, plane, T{0});
      for (std::size_t o = 0; o < outputs; ++o) {
        const auto at = static_cast<std::size_t>(static_cast<std::uint32_t>(place[o]));
        if (at >= plane) {
          bad.report((image * dx.channels + channel) * outputs + o);
          return;
        }
        to[at] += from[o];
      }
    }
  });
  if (bad.found())
    throw std::invalid_argument("places: expected places below " + std::to_string(plane) + ", got another at output " +
                                std::to_string(bad.get()));
}

template void max_pool(const Planes<const float>&, const WindowShape&, const Planes<float>&,
                       const Planes<std::int32_t>&, const WindowLoops&);
template void max_pool(const Planes<const double>&, const WindowShape&, const Planes<double>&,
                       const Planes<std::int32_t>&, const WindowLoops&);
template void max_pool_gradient(const Planes<const float>&, const Planes<const std::int32_t>&, const WindowShape&,
                                const Planes<float>&);
template void max_pool_gradient(const Planes<const double>&, const Planes<const std::int32_t>&, const WindowShape&,
                                const Planes<double>&);

}  // namespace paring
