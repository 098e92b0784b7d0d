#include "windows/columns.h"

#include <algorithm>
#include <vector>

#include "threads/pool.h"
#include "windows/taps.h"

namespace paring {
namespace {

// Elements of the matrix for which a thread is worth waking.
constexpr std::size_t kGrain = 32768;

// Runs plane(channel, image) for all of a chunk, on all threads.
template <typename Plane>
void over_planes(std::size_t channels, const WindowShape& shape, const ColumnChunk& chunk, const Plane& plane) {
  const std::size_t images = chunk.image_end - chunk.image_begin;
  const std::size_t work = shape.taps() * (chunk.row_end - chunk.row_begin) * shape.columns.out;
  parallel_ranges(channels * images, kGrain / std::max<std::size_t>(work, 1) + 1,
                  [&](std::size_t begin, std::size_t end) {
                    for (std::size_t i = begin; i < end; ++i) plane(i / images, chunk.image_begin + i % images);
                  });
}

}  // namespace

template <typename T>
void gather_columns(const Planes<const T>& x, const WindowShape& shape, const ColumnChunk& chunk, T* columns,
                    const WindowLoops& loops) {
  const std::size_t total = chunk.columns(shape), out = shape.columns.out;
  const std::size_t rows = chunk.row_end - chunk.row_begin;
  const TapLoops<T>& tap = tap_loops<T>(loops);
  const std::vector<TapMeeting> meetings = meet_all(shape, chunk.row_begin, chunk.row_end);
  over_planes(x.channels, shape, chunk, [&](std::size_t channel, std::size_t image) {
    const T* plane = x.plane(image, channel);
    T* to = columns + channel * meetings.size() * total + (image - chunk.image_begin) * rows * out;
    for (const TapMeeting& meeting : meetings) {
      if (meeting.runs.rows * meeting.runs.n < rows * out) std::fill_n(to, rows * out, T{0});
      tap.gather(plane + meeting.x, meeting.runs, to + meeting.y);
      to += total;
    }
  });
}

template <typename T>
void scatter_columns(const T* columns, const WindowShape& shape, const ColumnChunk& chunk, const Planes<T>& x,
                     const WindowLoops& loops) {
  const std::size_t total = chunk.columns(shape), out = shape.columns.out;
  const std::size_t rows = chunk.row_end - chunk.row_begin;
  const TapLoops<T>& tap = tap_loops<T>(loops);
  const std::vector<TapMeeting> meetings = meet_all(shape, chunk.row_begin, chunk.row_end);
  over_planes(x.channels, shape, chunk, [&](std::size_t channel, std::size_t image) {
    T* plane = x.plane(image, channel);
    const T* from = columns + channel * meetings.size() * total + (image - chunk.image_begin) * rows * out;
    for (const TapMeeting& meeting : meetings) {
      tap.scatter(from + meeting.y, meeting.runs, plane + meeting.x);
      from += total;
    }
  });
}

template void gather_columns(const Planes<const float>&, const WindowShape&, const ColumnChunk&, float*,
                             const WindowLoops&);
template void gather_columns(const Planes<const double>&, const WindowShape&, const ColumnChunk&, double*,
                             const WindowLoops&);
template void scatter_columns(const float*, const WindowShape&, const ColumnChunk&, const Planes<float>&,
                              const WindowLoops&);
template void scatter_columns(const double*, const WindowShape&, const ColumnChunk&, const Planes<double>&,
                              const WindowLoops&);

}  // namespace paring
