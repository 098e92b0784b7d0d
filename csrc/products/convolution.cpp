#include "products/convolution.h"

#include <algorithm>
#include <vector>

#include "products/product.h"
#include "threads/pool.h"
#include "windows/columns.h"

namespace paring {
namespace {

// Columns that exist at a time in each thread: with a panel and the filters they fit a second-level cache. Of deep
// filters there are more, or the filters would come from memory for a few positions only.
constexpr std::size_t kColumnBytes = std::size_t{1} << 18;
constexpr std::size_t kLeastColumns = 96;
// Pieces that gradients are cut into where images or channels allow it: enough for many threads, and fixed, because
// partial sums follow them.
constexpr std::size_t kPieces = 16;
// Floats of partial sums of filters.
constexpr std::size_t kMostPartial = std::size_t{1} << 22;

std::size_t pieces_of(std::size_t count, std::size_t size) { return (count + size - 1) / size; }

// How the output positions of some images are cut: whole images, or some rows of one.
class Chunks {
 public:
  Chunks(const WindowShape& shape, std::size_t columns_depth, std::size_t first_image, std::size_t last_image)
      : first_(first_image), last_(last_image), height_(shape.rows.out) {
    const std::size_t row_bytes = std::max<std::size_t>(columns_depth * shape.columns.out * sizeof(float), 1);
    const std::size_t least = pieces_of(kLeastColumns, std::max<std::size_t>(shape.columns.out, 1));
    const std::size_t rows = std::max(kColumnBytes / row_bytes, least);
    images_ = std::max<std::size_t>(rows / height_, 1);
    rows_ = std::min(rows, height_);
  }
  std::size_t count() const {
    return images_ > 1 || rows_ == height_ ? pieces_of(last_ - first_, images_)
                                           : (last_ - first_) * pieces_of(height_, rows_);
  }
  ColumnChunk operator[](std::size_t index) const {
    const std::size_t cuts = pieces_of(height_, rows_);
    if (cuts == 1) {
      const std::size_t image = first_ + index * images_;
      return {image, std::min(image + images_, last_), 0, height_};
    }
    const std::size_t image = first_ + index / cuts, row = index % cuts * rows_;
    return {image, image + 1, row, std::min(row + rows_, height_)};
  }

 private:
  std::size_t first_, last_, height_, images_, rows_;
};

std::size_t first_position(const WindowShape& shape, const ColumnChunk& chunk) {
  return chunk.image_begin * shape.out_plane() + chunk.row_begin * shape.columns.out;
}

Planes<const float> some_channels(const Planes<const float>& x, std::size_t first, std::size_t count) {
  return {x.data + first * x.channel_stride, x.images, count, x.image_stride, x.channel_stride};
}

// Of a group, the outputs at some positions.
template <typename Matrix, typename Data>
Matrix group_outputs(const Convolution& sizes, Data* y, std::size_t group, std::size_t position, std::size_t count) {
  return {y + group * sizes.group_filters() * sizes.positions() + position, sizes.group_filters(), count,
          sizes.positions(), 1};
}

}  // namespace

void convolve(const Convolution& sizes, const Planes<const float>& x, const float* filters, const float* bias,
              float* y) {
  if (sizes.positions() == 0 || sizes.filters == 0) return;
  const std::size_t rows = sizes.group_filters(), depth = sizes.depth();
  const Chunks chunks(sizes.shape, depth, 0, sizes.images);
  std::vector<PackedRows> packed;
  for (std::size_t g = 0; g < sizes.groups; ++g)
    packed.emplace_back(sizes.kernel).pack(row_major(filters + g * rows * depth, rows, depth));
  parallel_ranges(sizes.groups * chunks.count(), 1, [&](std::size_t begin, std::size_t end) {
    AlignedBytes memory;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t group = i / chunks.count();
      const ColumnChunk chunk = chunks[i % chunks.count()];
      const std::size_t count = chunk.columns(sizes.shape);
      memory.grow(depth * count * sizeof(float));
      auto* columns = memory.as<float>();
      gather_columns(some_channels(x, group * sizes.group_channels(), sizes.group_channels()), sizes.shape, chunk,
                     columns, sizes.loops);
      multiply(packed[group], row_major(columns, depth, count),
               {.rows = bias == nullptr ? nullptr : bias + group * rows},
               group_outputs<Target>(sizes, y, group, first_position(sizes.shape, chunk), count));
    }
  });
}

void convolve_input_gradient(const Convolution& sizes, const float* dy, const float* filters, const Planes<float>& dx) {
  if (sizes.positions() == 0 || sizes.filters == 0) {
    for (std::size_t image = 0; image < dx.images; ++image)
      for (std::size_t c = 0; c < dx.channels; ++c) std::fill_n(dx.plane(image, c), sizes.shape.plane(), 0.0f);
    return;
  }
  // Windows overlap, so an image belongs to one thread; where there are few, channels are cut as well.
  const std::size_t rows = sizes.group_filters(), depth = sizes.depth(), taps = sizes.shape.taps();
  const std::size_t image_pieces = std::min(sizes.images, kPieces);
  const std::size_t cuts =
      std::min(sizes.group_channels(), pieces_of(kPieces, std::max<std::size_t>(sizes.groups * image_pieces, 1)));
  std::vector<PackedRows> packed;
  const auto first_channel = [&](std::size_t cut) { return cut * sizes.group_channels() / cuts; };
  for (std::size_t i = 0; i < sizes.groups * cuts; ++i) {
    const std::size_t first = first_channel(i % cuts) * taps, last = first_channel(i % cuts + 1) * taps;
    const Operand group = row_major(filters + i / cuts * rows * depth, rows, depth);
    packed.emplace_back(sizes.kernel).pack(group.block(0, rows, first, last - first).transposed());
  }
  parallel_ranges(packed.size() * image_pieces, 1, [&](std::size_t begin, std::size_t end) {
    AlignedBytes memory;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t part = i / image_pieces, piece = i % image_pieces, group = part / cuts;
      const std::size_t first_image = piece * sizes.images / image_pieces;
      const std::size_t last_image = (piece + 1) * sizes.images / image_pieces;
      const std::size_t channel = group * sizes.group_channels() + first_channel(part % cuts);
      const std::size_t channels = packed[part].rows() / taps;
      const Planes<float> planes{dx.data + channel * dx.channel_stride, dx.images, channels, dx.image_stride,
                                 dx.channel_stride};
      for (std::size_t image = first_image; image < last_image; ++image)
        for (std::size_t c = 0; c < channels; ++c) std::fill_n(planes.plane(image, c), sizes.shape.plane(), 0.0f);
      const Chunks chunks(sizes.shape, packed[part].rows(), first_image, last_image);
      for (std::size_t j = 0; j < chunks.count(); ++j) {
        const std::size_t count = chunks[j].columns(sizes.shape);
        memory.grow(packed[part].rows() * count * sizeof(float));
        auto* columns = memory.as<float>();
        const std::size_t position = first_position(sizes.shape, chunks[j]);
        multiply(packed[part], group_outputs<Operand>(sizes, dy, group, position, count), {},
                 {columns, packed[part].rows(), count, count, 1});
        scatter_columns(static_cast<const float*>(columns), sizes.shape, chunks[j], planes, sizes.loops);
      }
    }
  });
}

void convolve_filter_gradient(const Convolution& sizes, const Planes<const float>& x, const float* dy,
                              float* gradient) {
  const std::size_t rows = sizes.group_filters(), depth = sizes.depth(), taps = sizes.shape.taps();
  const std::size_t size = sizes.filters * depth;
  std::fill_n(gradient, size, 0.0f);
  if (sizes.positions() == 0) return;
  // Images are cut as far as the partial sums stay small, channels where that is not enough.
  const std::size_t segments = std::clamp<std::size_t>(std::min(sizes.images, kMostPartial / (size + 1)), 1, kPieces);
  const std::size_t cuts = std::min(sizes.group_channels(), pieces_of(kPieces, segments * sizes.groups));
  const auto first_channel = [&](std::size_t cut) { return cut * sizes.group_channels() / cuts; };
  std::vector<float> partial(segments * size);
  parallel_ranges(segments * sizes.groups * cuts, 1, [&](std::size_t begin, std::size_t end) {
    AlignedBytes memory;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t segment = i % segments, group = i / segments / cuts, cut = i / segments % cuts;
      const std::size_t first = first_channel(cut), channels = first_channel(cut + 1) - first;
      const Target to{partial.data() + segment * size + group * rows * depth + first * taps, rows, channels * taps,
                      depth, 1};
      const Chunks chunks(sizes.shape, channels * taps, segment * sizes.images / segments,
                          (segment + 1) * sizes.images / segments);
      for (std::size_t j = 0; j < chunks.count(); ++j) {
        const std::size_t count = chunks[j].columns(sizes.shape);
        memory.grow(channels * taps * count * sizeof(float));
        auto* columns = memory.as<float>();
        gather_columns(some_channels(x, group * sizes.group_channels() + first, channels), sizes.shape, chunks[j],
                       columns, sizes.loops);
        const std::size_t position = first_position(sizes.shape, chunks[j]);
        product(sizes.kernel, group_outputs<Operand>(sizes, dy, group, position, count),
                row_major(columns, channels * taps, count).transposed(), {.target = j > 0}, to);
      }
    }
  });
  for (std::size_t segment = 0; segment < segments; ++segment)
    for (std::size_t i = 0; i < size; ++i) gradient[i] += partial[segment * size + i];
}

}  // namespace paring
