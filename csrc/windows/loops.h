// The loops of windows, written once (loops.inl) and compiled per instruction set. Every loop gives the same bytes in
// each of them: multiplications and additions are apart, and additions have one order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

// What one tap meets: `rows` runs of `n` elements of the input, element i of run r at x[r * x_step + i * x_stride], and
// as many of the output side at y[r * y_step + i].
struct TapRuns {
  std::size_t rows, n, x_step, x_stride, y_step;
};

template <typename T>
struct TapLoops {
  void (*gather)(const T* x, const TapRuns& runs, T* y);                   // y = x
  void (*scatter)(const T* y, const TapRuns& runs, T* x);                  // x += y
  void (*add_scaled)(const T* x, T factor, const TapRuns& runs, T* y);     // y += factor * x
  void (*spread_scaled)(const T* y, T factor, const TapRuns& runs, T* x);  // x += factor * y

  // The sum of x * y as 8 running sums, element i of each run in sum i % 8, which are added in halves at the end.
  T (*dot)(const T* x, const T* y, const TapRuns& runs);
};

// A value takes the place of the best so far if it is larger, or NaN: the first of equal ones stays.
template <typename T>
struct MaxLoops {
  // best[i] = x[i * stride] where that takes its place; with place not null also place[i] = first + i * stride there.
  void (*tap)(const T* x, std::size_t stride, std::size_t n, std::int32_t first, T* best, std::int32_t* place);

  // best[i] = the best of x[2 * i], x[2 * i + 1], x[width + 2 * i], x[width + 2 * i + 1], in this order, and place[i],
  // if place is not null, the index of that element, where x[0] has the index `first`.
  void (*two_by_two)(const T* x, std::size_t width, std::size_t n, std::int32_t first, T* best, std::int32_t* place);
};

struct WindowLoops {
  const char* name;
  FeatureSet needs;
  TapLoops<float> taps32;
  TapLoops<double> taps64;
  MaxLoops<float> max32;
  MaxLoops<double> max64;
};

// Best first; the last needs nothing.
std::span<const WindowLoops> window_loops();

extern const WindowLoops kWindowLoopsScalar, kWindowLoopsAvx2, kWindowLoopsAvx512;

}  // namespace paring
