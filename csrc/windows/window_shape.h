// How windows slide over an image: what convolution and pooling share.
//
// Along an axis, output o and tap t of its window meet the input at o * stride + t * dilation - pad, where that is
// inside; elsewhere is padding. How far the padding reaches at the end needs no name: `out` says how many windows are.
#pragma once

#include <cstddef>

namespace paring {

struct WindowAxis {
  std::size_t size, kernel, stride, dilation, pad, out;

  struct Range {
    std::size_t begin, end;  // empty ranges have begin == end
  };

  // The outputs whose tap t meets the input.
  Range outputs_inside(std::size_t tap) const {
    const std::size_t offset = tap * dilation;
    if (offset >= size + pad) return {0, 0};
    std::size_t begin = offset >= pad ? 0 : (pad - offset + stride - 1) / stride;
    std::size_t end = (size + pad - offset - 1) / stride + 1;
    if (end > out) end = out;
    if (begin > end) begin = end;
    return {begin, end};
  }

  // Where tap t of output o meets the input. Only for outputs inside.
  std::size_t position(std::size_t output, std::size_t tap) const { return output * stride + tap * dilation - pad; }
};

// Every number is at most this, so that no product above wraps.
inline constexpr std::size_t kMostOfAxis = std::size_t{1} << 31;

struct WindowShape {
  WindowAxis rows, columns;

  std::size_t plane() const { return rows.size * columns.size; }
  std::size_t out_plane() const { return rows.out * columns.out; }
  std::size_t taps() const { return rows.kernel * columns.kernel; }
};

// Images of one or more channels: a plane of rows.size x columns.size elements, contiguous, for each (image, channel).
template <typename T>
struct Planes {
  T* data;
  std::size_t images, channels, image_stride, channel_stride;

  T* plane(std::size_t image, std::size_t channel) const {
    return data + image * image_stride + channel * channel_stride;
  }
};

}  // namespace paring
