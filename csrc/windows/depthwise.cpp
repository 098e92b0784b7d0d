#include "windows/depthwise.h"

#include <algorithm>
#include <vector>

#include "threads/pool.h"
#include "windows/taps.h"

namespace paring {
namespace {

// Multiplications for which a thread is worth waking.
constexpr std::size_t kGrain = 65536;

std::size_t grain_of(const WindowShape& shape, std::size_t planes) {
  return kGrain / std::max<std::size_t>(shape.out_plane() * shape.taps() * planes, 1) + 1;
}

}  // namespace

template <typename T>
void depthwise(const Planes<const T>& x, const T* filters, const T* bias, const WindowShape& shape, const Planes<T>& y,
               const WindowLoops& loops) {
  const auto meetings = meet_all(shape, 0, shape.rows.out);
  const auto add_scaled = tap_loops<T>(loops).add_scaled;
  if (y.channels == 0) return;
  const std::size_t multiplier = y.channels / x.channels, taps = meetings.size();
  parallel_ranges(y.images * y.channels, grain_of(shape, 1), [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t image = p / y.channels, f = p % y.channels;
      const T* from = x.plane(image, f / multiplier);
      T* to = y.plane(image, f);
      std::fill_n(to, shape.out_plane(), bias != nullptr ? bias[f] : T{0});
      for (std::size_t t = 0; t < taps; ++t)
        add_scaled(from + meetings[t].x, filters[f * taps + t], meetings[t].runs, to + meetings[t].y);
    }
  });
}

template <typename T>
void depthwise_input_gradient(const Planes<const T>& dy, const T* filters, const WindowShape& shape,
                              const Planes<T>& dx, const WindowLoops& loops) {
  const auto meetings = meet_all(shape, 0, shape.rows.out);
  const auto spread_scaled = tap_loops<T>(loops).spread_scaled;
  if (dx.channels == 0) return;
  const std::size_t multiplier = dy.channels / dx.channels, taps = meetings.size();
  parallel_ranges(dx.images * dx.channels, grain_of(shape, multiplier), [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t image = p / dx.channels, channel = p % dx.channels;
      T* to = dx.plane(image, channel);
      std::fill_n(to, shape.plane(), T{0});
      for (std::size_t f = channel * multiplier; f < (channel + 1) * multiplier; ++f) {
        const T* from = dy.plane(image, f);
        for (std::size_t t = 0; t < taps; ++t)
          spread_scaled(from + meetings[t].y, filters[f * taps + t], meetings[t].runs, to + meetings[t].x);
      }
    }
  });
}

template <typename T>
void depthwise_filter_gradient(const Planes<const T>& x, const Planes<const T>& dy, const WindowShape& shape,
                               T* filters, const WindowLoops& loops) {
  const auto meetings = meet_all(shape, 0, shape.rows.out);
  const auto dot = tap_loops<T>(loops).dot;
  if (dy.channels == 0) return;
  const std::size_t multiplier = dy.channels / x.channels, taps = meetings.size();
  parallel_ranges(dy.channels, grain_of(shape, dy.images), [&](std::size_t begin, std::size_t end) {
    std::vector<double> sums(taps);
    for (std::size_t f = begin; f < end; ++f) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::size_t image = 0; image < dy.images; ++image) {
        const T* from = x.plane(image, f / multiplier);
        const T* with = dy.plane(image, f);
        for (std::size_t t = 0; t < taps; ++t)
          sums[t] += static_cast<double>(dot(from + meetings[t].x, with + meetings[t].y, meetings[t].runs));
      }
      for (std::size_t t = 0; t < taps; ++t) filters[f * taps + t] = static_cast<T>(sums[t]);
    }
  });
}

template void depthwise(const Planes<const float>&, const float*, const float*, const WindowShape&,
                        const Planes<float>&, const WindowLoops&);
template void depthwise_input_gradient(const Planes<const float>&, const float*, const WindowShape&,
                                       const Planes<float>&, const WindowLoops&);
template void depthwise_filter_gradient(const Planes<const float>&, const Planes<const float>&, const WindowShape&,
                                        float*, const WindowLoops&);
template void depthwise(const Planes<const double>&, const double*, const double*, const WindowShape&,
                        const Planes<double>&, const WindowLoops&);
template void depthwise_input_gradient(const Planes<const double>&, const double*, const WindowShape&,
                                       const Planes<double>&, const WindowLoops&);
template void depthwise_filter_gradient(const Planes<const double>&, const Planes<const double>&, const WindowShape&,
                                        double*, const WindowLoops&);

}  // namespace paring
