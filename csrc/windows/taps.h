// Where one tap of all windows meets the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "windows/loops.h"
#include "windows/window_shape.h"

namespace paring {

template <typename T>
const TapLoops<T>& tap_loops(const WindowLoops& loops) {
  if constexpr (std::is_same_v<T, float>) {
    return loops.taps32;
  } else {
    return loops.taps64;
  }
}

template <typename T>
const MaxLoops<T>& max_loops(const WindowLoops& loops) {
  if constexpr (std::is_same_v<T, float>) {
    return loops.max32;
  } else {
    return loops.max64;
  }
}

struct TapMeeting {
  std::size_t x, y;  // offsets of the first pair: in a plane of the input, and among the outputs of the rows given
  TapRuns runs;
};

// Tap (i, j) for the output rows [row_begin, row_end): a rectangle of outputs, empty where all of it is padding.
inline TapMeeting meet(const WindowShape& shape, std::size_t i, std::size_t j, std::size_t row_begin,
                       std::size_t row_end) {
  const WindowAxis &rows = shape.rows, &columns = shape.columns;
  const auto [top, bottom] = rows.outputs_inside(i);
  const auto [left, right] = columns.outputs_inside(j);
  const std::size_t first = std::max(top, row_begin), last = std::min(bottom, row_end);
  if (first >= last || left >= right) return {0, 0, {0, 0, 0, 1, 0}};
  return {rows.position(first, i) * columns.size + columns.position(left, j),
          (first - row_begin) * columns.out + left,
          {last - first, right - left, rows.stride * columns.size, columns.stride, columns.out}};
}

// The same for all taps in ascending order.
inline std::vector<TapMeeting> meet_all(const WindowShape& shape, std::size_t row_begin, std::size_t row_end) {
  std::vector<TapMeeting> meetings;
  meetings.reserve(shape.taps());
  for (std::size_t i = 0; i < shape.rows.kernel; ++i)
    for (std::size_t j = 0; j < shape.columns.kernel; ++j) meetings.push_back(meet(shape, i, j, row_begin, row_end));
  return meetings;
}

}  // namespace paring
