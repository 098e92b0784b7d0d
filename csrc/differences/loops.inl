// Plain loops for the compiler to vectorize.
#include <cstdint>

#include "differences/loops.h"

namespace {

constexpr int kLanes = 16;

struct Lanes {
  double largest[kLanes] = {}, total[kLanes] = {}, noise[kLanes] = {}, signal[kLanes] = {};
  std::int64_t zeros[kLanes] = {};

  inline void add(int j, double a, double b) {
    const double error = __builtin_fabs(a - b);
    largest[j] = error > largest[j] ? error : largest[j];
    total[j] += error;
    noise[j] += error * error;
    signal[j] += a * a;
    zeros[j] += b == 0 ? 1 : 0;
  }
};

inline double add_lanes(double* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

template <typename A, typename B>
paring::DifferenceSums compare(const A* a, const B* b, std::size_t n) {
  Lanes lanes;
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) lanes.add(j, static_cast<double>(a[i + j]), static_cast<double>(b[i + j]));
  for (int j = 0; i < n; ++i, ++j) lanes.add(j, static_cast<double>(a[i]), static_cast<double>(b[i]));
  paring::DifferenceSums sums;
  for (int j = 0; j < kLanes; ++j) {
    sums.largest = lanes.largest[j] > sums.largest ? lanes.largest[j] : sums.largest;
    sums.zeros += static_cast<std::size_t>(lanes.zeros[j]);
  }
  sums.total = add_lanes(lanes.total);
  sums.noise = add_lanes(lanes.noise);
  sums.signal = add_lanes(lanes.signal);
  return sums;
}

constexpr paring::DifferenceLoops loops_named(const char* name, paring::FeatureSet needs) {
  return {name, needs, &compare<float, float>, &compare<double, float>, &compare<double, double>};
}

}  // namespace
