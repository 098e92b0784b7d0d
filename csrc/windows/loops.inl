// Plain loops for the compiler to vectorize. Rows of images are short, often shorter than a register: so they are done
// in blocks of 8 and 4 elements whose length the compiler knows, and it does not leave most of a row to a scalar tail.
#include "windows/loops.h"

namespace {

// Runs block(i, count) over 0 ... n - 1, where count is a constant: 8, 4 or 1.
template <std::size_t Count>
struct Constant {
  static constexpr std::size_t value = Count;
};

template <typename Block>
inline __attribute__((always_inline)) void in_blocks(std::size_t n, const Block& block) {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) block(i, Constant<8>());
  if (i + 4 <= n) {
    block(i, Constant<4>());
    i += 4;
  }
  for (; i < n; ++i) block(i, Constant<1>());
}

// Runs element(x, y) for each pair of elements; X and Y are pointers to what is read, or written.
template <typename X, typename Y, typename Element>
inline __attribute__((always_inline)) void over_runs(X* x, Y* y, const paring::TapRuns& runs, const Element& element) {
  for (std::size_t r = 0; r < runs.rows; ++r, x += runs.x_step, y += runs.y_step) {
    if (runs.x_stride == 1) {
      in_blocks(runs.n, [&](std::size_t i, auto count) __attribute__((always_inline)) {
#pragma GCC ivdep
        for (std::size_t k = 0; k < decltype(count)::value; ++k) element(x[i + k], y[i + k]);
      });
    } else {
#pragma GCC ivdep
      for (std::size_t i = 0; i < runs.n; ++i) element(x[i * runs.x_stride], y[i]);
    }
  }
}

template <typename T>
void gather(const T* x, const paring::TapRuns& runs, T* y) {
  over_runs(x, y, runs, [](const T& from, T& to) { to = from; });
}

template <typename T>
void scatter(const T* y, const paring::TapRuns& runs, T* x) {
  over_runs(x, y, runs, [](T& to, const T& from) { to += from; });
}

template <typename T>
void add_scaled(const T* x, T factor, const paring::TapRuns& runs, T* y) {
  over_runs(x, y, runs, [factor](const T& from, T& to) { to += factor * from; });
}

template <typename T>
void spread_scaled(const T* y, T factor, const paring::TapRuns& runs, T* x) {
  over_runs(x, y, runs, [factor](T& to, const T& from) { to += factor * from; });
}

template <typename T>
T dot(const T* x, const T* y, const paring::TapRuns& runs) {
  T sums[8] = {};
  for (std::size_t r = 0; r < runs.rows; ++r, x += runs.x_step, y += runs.y_step) {
    std::size_t i = 0;
    if (runs.x_stride == 1) {
      for (; i + 8 <= runs.n; i += 8)
        for (std::size_t k = 0; k < 8; ++k) sums[k] += x[i + k] * y[i + k];
      for (std::size_t k = 0; i < runs.n; ++i, ++k) sums[k] += x[i] * y[i];
    } else {
      for (; i < runs.n; ++i) sums[i % 8] += x[i * runs.x_stride] * y[i];
    }
  }
  for (std::size_t half = 4; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) sums[k] += sums[k + half];
  return sums[0];
}

// Vectors of the compiler, which splits them where registers are shorter. Left to vectorize choices by itself, GCC 12
// takes them apart into branches.
template <typename T, std::size_t Count>
struct Lanes {
  typedef T type __attribute__((vector_size(Count * sizeof(T))));
};
template <typename T>
struct Lanes<T, 1> {
  typedef T type;
};
template <typename T, std::size_t Count>
using Vector = typename Lanes<T, Count>::type;

template <typename V, typename T>
inline __attribute__((always_inline)) void load(const T* from, V& to) {
  __builtin_memcpy(&to, from, sizeof(V));
}

template <typename V, typename T>
inline __attribute__((always_inline)) void store(const V& from, T* to) {
  __builtin_memcpy(to, &from, sizeof(V));
}

// best = value, and place = at, where value takes the place of best.
template <std::size_t Count, typename V, typename P>
inline __attribute__((always_inline)) void choose(const V& value, const P& at, V& best, P& place) {
  const auto taken = (value > best) | (value != value);
  best = taken ? value : best;
  if constexpr (Count == 1) {
    place = taken ? at : place;
  } else {
    place = __builtin_convertvector(taken, P) ? at : place;
  }
}

template <std::size_t Count>
inline __attribute__((always_inline)) void count_up(std::int32_t first, std::int32_t step,
                                                    Vector<std::int32_t, Count>& to) {
  if constexpr (Count == 1) {
    to = first;
  } else if constexpr (Count == 4) {
    to = Vector<std::int32_t, 4>{0, 1, 2, 3} * step + first;
  } else {
    to = Vector<std::int32_t, 8>{0, 1, 2, 3, 4, 5, 6, 7} * step + first;
  }
}

// Splits 2 * Count elements into those at even and those at odd places.
template <std::size_t Count, typename T>
inline __attribute__((always_inline)) void load_pairs(const T* from, Vector<T, Count>& even, Vector<T, Count>& odd) {
  if constexpr (Count == 1) {
    even = from[0];
    odd = from[1];
  } else {
    Vector<T, Count> low, high;
    load(from, low);
    load(from + Count, high);
    if constexpr (Count == 4) {
      even = __builtin_shufflevector(low, high, 0, 2, 4, 6);
      odd = __builtin_shufflevector(low, high, 1, 3, 5, 7);
    } else {
      even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
      odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
    }
  }
}

template <typename T>
void best_of_tap(const T* x, std::size_t stride, std::size_t n, std::int32_t first, T* best, std::int32_t* place) {
  in_blocks(n, [&](std::size_t i, auto count) __attribute__((always_inline)) {
    constexpr std::size_t kCount = decltype(count)::value;
    Vector<T, kCount> value{}, so_far{};
    Vector<std::int32_t, kCount> at{}, place_so_far{};
    if (stride == 1 || kCount == 1) {
      load(x + i * stride, value);
    } else if (stride == 2 && i + kCount < n) {
      Vector<T, kCount> between;  // read with the others, and inside as long as a run goes on
      load_pairs<kCount>(x + 2 * i, value, between);
    } else {
      T values[kCount];
      for (std::size_t k = 0; k < kCount; ++k) values[k] = x[(i + k) * stride];
      load(values, value);
    }
    load(best + i, so_far);
    if (place != nullptr) {
      load(place + i, place_so_far);
      count_up<kCount>(first + static_cast<std::int32_t>(i * stride), static_cast<std::int32_t>(stride), at);
    }
    choose<kCount>(value, at, so_far, place_so_far);
    store(so_far, best + i);
    if (place != nullptr) store(place_so_far, place + i);
  });
}

template <typename T>
void best_of_four(const T* x, std::size_t width, std::size_t n, std::int32_t first, T* best, std::int32_t* place) {
  const auto down = static_cast<std::int32_t>(width);
  in_blocks(n, [&](std::size_t i, auto count) __attribute__((always_inline)) {
    constexpr std::size_t kCount = decltype(count)::value;
    Vector<T, kCount> a, b, c, d;
    load_pairs<kCount>(x + 2 * i, a, b);
    load_pairs<kCount>(x + width + 2 * i, c, d);
    Vector<std::int32_t, kCount> at, start;
    count_up<kCount>(first + static_cast<std::int32_t>(2 * i), 2, start);
    at = start;
    choose<kCount>(b, start + 1, a, at);
    choose<kCount>(c, start + down, a, at);
    choose<kCount>(d, start + (down + 1), a, at);
    store(a, best + i);
    if (place != nullptr) store(at, place + i);
  });
}

template <typename T>
constexpr paring::TapLoops<T> kTapLoops = {&gather<T>, &scatter<T>, &add_scaled<T>, &spread_scaled<T>, &dot<T>};

template <typename T>
constexpr paring::MaxLoops<T> kMaxLoops = {&best_of_tap<T>, &best_of_four<T>};

constexpr paring::WindowLoops loops_named(const char* name, paring::FeatureSet needs) {
  return {name, needs, kTapLoops<float>, kTapLoops<double>, kMaxLoops<float>, kMaxLoops<double>};
}

}  // namespace
