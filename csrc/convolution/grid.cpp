#include "convolution/grid.h"

#include <algorithm>
#include <cstring>

#include "base/aligned_bytes.h"
#include "convolution/kernel.h"

namespace paring {
namespace {

using Bytes16 = std::uint8_t __attribute__((vector_size(16)));

Bytes16 load16(const std::int8_t* from) {
  Bytes16 bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

struct FourRows {
  const std::int8_t *a, *b, *c, *d;
};

// words[i] = bytes i of four rows, each with 128 added.
void interleave(const FourRows& rows, std::size_t count, std::uint32_t* words) {
  const auto [a, b, c, d] = rows;
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const Bytes16 va = load16(a + i), vb = load16(b + i), vc = load16(c + i), vd = load16(d + i);
    const Bytes16 ab[2] = {
        __builtin_shufflevector(va, vb, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
        __builtin_shufflevector(va, vb, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)};
    const Bytes16 cd[2] = {
        __builtin_shufflevector(vc, vd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
        __builtin_shufflevector(vc, vd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)};
    for (int half = 0; half < 2; ++half) {
      Bytes16 low = __builtin_shufflevector(ab[half], cd[half], 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
      Bytes16 high =
          __builtin_shufflevector(ab[half], cd[half], 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
      low ^= 0x80;
      high ^= 0x80;
      std::memcpy(words + i + half * 8, &low, sizeof low);
      std::memcpy(words + i + half * 8 + 4, &high, sizeof high);
    }
  }
  const auto byte = [](std::int8_t code) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(code) ^ 0x80); };
  for (; i < count; ++i) words[i] = byte(a[i]) | byte(b[i]) << 8 | byte(c[i]) << 16 | byte(d[i]) << 24;
}

std::uint32_t four_times(std::int8_t code) { return (static_cast<std::uint8_t>(code) ^ 0x80u) * 0x01010101u; }

}  // namespace

Grid::Phases::Phases(const WindowAxis& axis) : stride(axis.stride), dilation(axis.dilation) {
  for (std::size_t tap = 0; tap < axis.kernel; ++tap) {
    const std::size_t offset = tap * dilation % stride;
    if (std::find(offsets.begin(), offsets.end(), offset) == offsets.end()) offsets.push_back(offset);
  }
  most_shift = shift(axis.kernel - 1);
}

std::size_t Grid::Phases::index(std::size_t tap) const {
  return static_cast<std::size_t>(std::find(offsets.begin(), offsets.end(), tap * dilation % stride) - offsets.begin());
}

Grid::Grid(GridWords words, const WindowShape& shape, std::size_t channels)
    : words_(words),
      shape_(shape),
      channels_(channels),
      tap_quads_(words == GridWords::kTaps ? (shape.columns.kernel + 3) / 4 : 1),
      rows_(shape.rows),
      columns_(shape.columns),
      plane_rows_(shape.rows.out + rows_.most_shift),
      row_words_(shape.columns.out + (words == GridWords::kTaps ? 0 : columns_.most_shift)),
      positions_((shape.rows.out - 1) * row_words_ + shape.columns.out) {
  find_offsets();
}

std::size_t Grid::units() const { return (channels_ + unit_channels() - 1) / unit_channels(); }

std::size_t Grid::unit_planes() const {
  return rows_.offsets.size() * (words_ == GridWords::kTaps ? tap_quads_ : columns_.offsets.size());
}

std::size_t Grid::bytes() const {
  return units() * unit_planes() * plane_bytes() + (columns_.most_shift + kMostPositions) * 4;
}

void Grid::find_offsets() {
  const bool taps = words_ == GridWords::kTaps;
  const std::size_t across = taps ? tap_quads_ : shape_.columns.kernel;
  const std::size_t phases = taps ? tap_quads_ : columns_.offsets.size();
  offsets_.reserve(units() * shape_.rows.kernel * across);
  for (std::size_t unit = 0; unit < units(); ++unit)
    for (std::size_t i = 0; i < shape_.rows.kernel; ++i)
      for (std::size_t j = 0; j < across; ++j) {
        const std::size_t plane = unit * unit_planes() + rows_.index(i) * phases + (taps ? j : columns_.index(j));
        const std::size_t shift = rows_.shift(i) * row_words_ + (taps ? 0 : columns_.shift(j));
        offsets_.push_back(plane * plane_bytes() + shift * 4);
      }
}

bool Grid::is_plain() const {
  const WindowAxis &rows = shape_.rows, &columns = shape_.columns;
  return rows.stride == 1 && columns.stride == 1 && rows.pad == 0 && plane_rows_ == rows.size && columns.pad == 0 &&
         row_words_ == columns.size;
}

void Grid::fill(std::size_t unit, const void* const* planes, std::int8_t padding, std::byte* grid) const {
  const std::size_t width = shape_.columns.size, plane = shape_.plane();
  const bool floats = words_ == GridWords::kFloats;
  const auto* codes = static_cast<const std::int8_t*>(planes[0]);
  const auto* words = static_cast<const std::uint32_t*>(planes[0]);
  if (words_ == GridWords::kChannels) {
    thread_local std::vector<std::uint32_t> interleaved;
    thread_local std::vector<std::int8_t> none;
    auto* to = reinterpret_cast<std::uint32_t*>(grid + unit * unit_planes() * plane_bytes());
    if (!is_plain()) {
      if (interleaved.size() < plane) interleaved.resize(plane);
      to = interleaved.data();
    }
    if (none.size() < plane) none.resize(plane);
    const auto channel = [&](int c) {
      return planes[c] == nullptr ? none.data() : static_cast<const std::int8_t*>(planes[c]);
    };
    interleave({channel(0), channel(1), channel(2), channel(3)}, plane, to);
    words = to;
    if (is_plain()) return;
  }
  const std::uint32_t outside = floats ? 0 : four_times(padding);
  for (std::size_t phase = 0; phase < rows_.offsets.size(); ++phase) {
    const std::size_t first = unit * unit_planes() + phase * unit_planes() / rows_.offsets.size();
    for (std::size_t row = 0; row < plane_rows_; ++row) {
      const std::size_t padded = row * rows_.stride + rows_.offsets[phase], pad = shape_.rows.pad;
      const bool inside = padded >= pad && padded - pad < shape_.rows.size;
      const std::size_t from = inside ? (padded - pad) * width : 0;
      if (words_ == GridWords::kTaps) {
        fill_taps(inside ? codes + from : nullptr, padding, first, row, grid);
      } else {
        fill_words(inside ? words + from : nullptr, outside, first, row, grid);
      }
    }
  }
}

// A row of words, null for one of padding, into one row of every column phase.
void Grid::fill_words(const std::uint32_t* row, std::uint32_t padding, std::size_t plane, std::size_t grid_row,
                      std::byte* grid) const {
  const std::size_t width = shape_.columns.size, pad = shape_.columns.pad, stride = columns_.stride;
  for (std::size_t phase = 0; phase < columns_.offsets.size(); ++phase) {
    auto* out = reinterpret_cast<std::uint32_t*>(grid + (plane + phase) * plane_bytes()) + grid_row * row_words_;
    const std::size_t offset = columns_.offsets[phase];
    // Words [begin, end) of the row meet the image, at column word * stride + offset - pad.
    std::size_t begin = offset >= pad ? 0 : (pad - offset + stride - 1) / stride;
    std::size_t end = width + pad > offset ? (width + pad - offset - 1) / stride + 1 : 0;
    begin = std::min(begin, row_words_);
    end = row == nullptr || width == 0 ? begin : std::clamp(end, begin, row_words_);
    std::fill(out, out + begin, padding);
    std::fill(out + end, out + row_words_, padding);
    if (begin == end) continue;
    const std::uint32_t* from = row + (begin * stride + offset - pad);
    if (stride == 1) {
      std::memcpy(out + begin, from, (end - begin) * 4);
    } else {
      for (std::size_t w = begin; w < end; ++w, from += stride) out[w] = *from;
    }
  }
}

// Every phase of a padded row is a row of its own, in which all taps of that phase lie at some shift.
void Grid::fill_taps(const std::int8_t* row, std::int8_t padding, std::size_t plane, std::size_t grid_row,
                     std::byte* grid) const {
  const WindowAxis& axis = shape_.columns;
  thread_local std::vector<std::int8_t> phases;
  const std::size_t stride = axis.stride, last_tap = 4 * tap_quads_ - 1;
  const std::size_t length = axis.out + last_tap * axis.dilation / stride + 1;
  phases.assign(length * std::min(stride, last_tap * axis.dilation + 1), padding);
  for (std::size_t phase = 0; row != nullptr && phase * length < phases.size(); ++phase) {
    // Byte w of the phase is the image's column w * stride + phase - pad.
    const std::size_t begin = phase >= axis.pad ? 0 : (axis.pad - phase + stride - 1) / stride;
    const std::size_t reach = axis.size + axis.pad, end = reach > phase ? (reach - phase - 1) / stride + 1 : 0;
    std::int8_t* out = phases.data() + phase * length;
    if (stride == 1) {
      if (end > begin)
        std::memcpy(out + begin, row, std::min(std::min(end, length) - std::min(begin, length), axis.size));
    } else {
      for (std::size_t w = begin; w < std::min(end, length); ++w) out[w] = row[w * stride + phase - axis.pad];
    }
  }
  const auto tap = [&](std::size_t index) {
    const std::size_t offset = index * axis.dilation;
    return phases.data() + offset % stride * length + offset / stride;
  };
  for (std::size_t quad = 0; quad < tap_quads_; ++quad) {
    auto* out = reinterpret_cast<std::uint32_t*>(grid + (plane + quad) * plane_bytes()) + grid_row * row_words_;
    interleave({tap(4 * quad), tap(4 * quad + 1), tap(4 * quad + 2), tap(4 * quad + 3)}, axis.out, out);
  }
}

}  // namespace paring
