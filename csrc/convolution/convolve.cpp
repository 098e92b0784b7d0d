#include "convolution/convolve.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "cpu/level.h"
#include "threads/pool.h"

namespace paring {
namespace {

// A piece of work worth waking a thread for, in multiply-adds, and in values that are laid out.
constexpr std::size_t kGrain = std::size_t{1} << 20;
constexpr std::size_t kGrainValues = 16384;
// Filters and grids up to that size stay in a second-level cache while the other passes by.
constexpr std::size_t kNearBytes = std::size_t{512} << 10;

// One call: what all images and groups share.
struct Call {
  const ImageInput& x;
  const PackedFilters& filters;
  const WindowShape& shape;
  const LinearOutput& y;
  const Grid& grid;
  const QuantizeLoops& loops;
  const EpilogueKernel& epilogue;

  bool integers() const { return filters.kernel().kind == ConvolutionKind::kS8; }
};

// How an image becomes codes.
struct ImageScale {
  float scale;
  std::int32_t zero_point;
  bool finite;
};

ImageScale scale_of_image(const Call& call, std::size_t image) {
  const ImageInput& x = call.x;
  if (!call.integers()) return {1.0f, 0, true};
  if (x.codes.data != nullptr) return {x.scale->scale, x.scale->zero_point, true};
  std::vector<std::uint32_t> largest(x.values.channels);
  const std::size_t plane = call.shape.plane();
  parallel_ranges(x.values.channels, kGrainValues / (plane + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t c = begin; c < end; ++c) largest[c] = call.loops.abs_max_bits(x.values.plane(image, c), plane);
  });
  const std::uint32_t bits = *std::max_element(largest.begin(), largest.end());
  const bool finite = bits < kInfinityBits;
  if (x.scale) return {x.scale->scale, x.scale->zero_point, finite};
  const float scale = finite ? std::bit_cast<float>(bits) / 127.0f : 1.0f;
  return {scale < kSmallestNormal ? 0.0f : scale, 0, finite};
}

// The codes of a plane.
void round_plane(const Call& call, const ImageScale& scale, std::size_t image, std::size_t channel,
                 std::int8_t* codes) {
  const ImageInput& x = call.x;
  const std::size_t size = call.shape.plane();
  if (x.codes.data != nullptr) {
    std::memcpy(codes, x.codes.plane(image, channel), size);
  } else if (!scale.finite || scale.scale == 0.0f) {
    std::memset(codes, 0, size);
  } else if (x.scale) {
    call.loops.round_to_codes(x.values.plane(image, channel), size, 1.0f / scale.scale, scale.zero_point, codes);
  } else {
    call.loops.round_products(x.values.plane(image, channel), size, 1.0f / scale.scale, codes);
  }
}

void fill_unit(const Call& call, const ImageScale& scale, std::size_t image, std::size_t group, std::size_t unit,
               std::byte* grid) {
  const std::size_t group_channels = call.filters.shape().group_channels;
  const std::size_t first = unit * call.grid.unit_channels();
  const std::size_t channel = group * group_channels + first;
  if (!call.integers()) return call.grid.fill(unit, call.x.values.plane(image, channel), 0, grid);
  const std::size_t plane = call.shape.plane(), count = std::min(call.grid.unit_channels(), group_channels - first);
  thread_local std::vector<std::int8_t> codes;
  codes.resize(call.grid.unit_channels() * plane);
  for (std::size_t c = 0; c < count; ++c) round_plane(call, scale, image, channel + c, codes.data() + c * plane);
  std::fill(codes.begin() + static_cast<std::ptrdiff_t>(count * plane), codes.end(), 0);
  call.grid.fill(unit, codes.data(), static_cast<std::int8_t>(scale.zero_point), grid);
}

// What lies between two rows of outputs is left out. `tile` holds `count` positions from `position` on.
void store_runs(const Call& call, float* tile, std::size_t stride, std::size_t row, std::size_t rows,
                std::size_t position, std::size_t count) {
  const std::size_t row_words = call.grid.row_words(), width = call.grid.row_outputs();
  for (std::size_t p = 0; p < count;) {
    const std::size_t line = (position + p) / row_words, column = (position + p) % row_words;
    if (column >= width) {
      p += row_words - column;
      continue;
    }
    const std::size_t length = std::min(width - column, count - p), to = line * width + column;
    finish_tile(call.epilogue, call.y, tile + p, stride, row, to, rows, length);
    if (call.y.codes.data == nullptr)
      for (std::size_t r = 0; r < rows; ++r)
        std::memcpy(call.y.values.row(row + r) + to, tile + r * stride + p, length * sizeof(float));
    p += length;
  }
}

// A tile of filters at positions [begin, begin + count).
void run_tile(const Call& call, ConvolutionTask task, const std::byte* grid, std::size_t row, std::size_t begin,
              std::size_t count) {
  const ConvolutionKernel& kernel = call.filters.kernel();
  alignas(kAlignment) float tile[kMostFilterRows * kMostPositions];
  const std::size_t row_words = call.grid.row_words(), width = call.grid.row_outputs();
  for (std::size_t p = begin; p < begin + count; p += task.positions) {
    const std::size_t left = begin + count - p;
    task.positions = task.rows == 1 && left >= kernel.single_positions ? kernel.single_positions : kernel.positions;
    const std::size_t here = std::min(left, task.positions), column = p % row_words;
    const bool whole =
        here == task.positions && call.y.codes.data == nullptr && (row_words == width || column + here <= width);
    const std::size_t to = p / row_words * width + column;
    task.grid = grid + p * 4;
    task.y = whole ? call.y.values.row(row) + to : tile;
    task.y_stride = whole ? call.y.values.row_stride : task.positions;
    kernel.run(task);
    if (whole) {
      finish_tile(call.epilogue, call.y, task.y, task.y_stride, row, to, task.rows, here);
    } else {
      store_runs(call, tile, task.y_stride, row, task.rows, p, here);
    }
  }
}

// All filters of a group over its grid.
void multiply(const Call& call, const ImageScale& scale, const std::byte* grid, std::size_t image, std::size_t group) {
  const PackedFilters& filters = call.filters;
  const ConvolutionKernel& kernel = filters.kernel();
  const std::size_t tiles = filters.tiles(), positions = call.grid.positions(),
                    first_filter = group * filters.shape().group_filters();
  const std::size_t width = filters.first_filter(1) == 1 ? kernel.single_positions : kernel.positions;
  const std::size_t pieces = (positions + width - 1) / width;
  const float image_scale = !scale.finite ? std::numeric_limits<float>::quiet_NaN() : scale.scale;
  const std::size_t work = filters.first_filter(1) * width * filters.shape().depth() + 1;
  // Positions change fastest where the grid fits beside a tile of filters.
  const bool positions_first = call.grid.bytes() <= kNearBytes || tiles * filters.tile_bytes() > call.grid.bytes();
  parallel_ranges(tiles * pieces, kGrain / work + 1, [&](std::size_t begin, std::size_t end) {
    ConvolutionTask task{};
    std::int32_t starts[kMostFilterRows];
    task.offsets = call.grid.offsets().data();
    task.starts = starts;
    task.image_scale = image_scale;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t tile = positions_first ? i / pieces : i % tiles;
      const std::size_t piece = positions_first ? i % pieces : i / tiles;
      filters.tile(group, tile, task);
      const std::size_t filter = first_filter + filters.first_filter(tile);
      for (std::size_t r = 0; call.integers() && r < task.rows; ++r)
        starts[r] = -(128 + scale.zero_point) * filters.sums()[filter + r];
      run_tile(call, task, grid, image * filters.shape().filters + filter, piece * width,
               std::min(width, positions - piece * width));
    }
  });
}

}  // namespace

void convolve(const ImageInput& x, const PackedFilters& filters, const WindowShape& shape, const LinearOutput& y) {
  const std::size_t images = x.codes.data != nullptr ? x.codes.images : x.values.images;
  const FilterShape& sizes = filters.shape();
  if (images == 0 || shape.out_plane() == 0 || sizes.filters == 0) return;
  const Grid grid(filters.words(), shape, sizes.group_channels);
  const FeatureSet features = filters.kernel().needs;
  const Call call{x, filters, shape, y, grid, select(quantize_loops(), features), select(epilogue_kernels(), features)};
  for (std::size_t image = 0; image < images; ++image) {
    const ImageScale scale = scale_of_image(call, image);
    if (sizes.groups == 1) {
      thread_local AlignedBytes memory;
      memory.grow(grid.bytes());
      std::byte* words = memory.data();
      parallel_ranges(grid.units(), kGrainValues / (shape.plane() * grid.unit_channels() + 1) + 1,
                      [&](std::size_t begin, std::size_t end) {
                        for (std::size_t unit = begin; unit < end; ++unit)
                          fill_unit(call, scale, image, 0, unit, words);
                      });
      multiply(call, scale, words, image, 0);
      continue;
    }
    const std::size_t work =
        sizes.group_filters() * sizes.depth() * shape.out_plane() + sizes.group_channels * shape.plane() * 8 + 1;
    parallel_ranges(sizes.groups, kGrain / work + 1, [&](std::size_t begin, std::size_t end) {
      thread_local AlignedBytes memory;
      memory.grow(grid.bytes());
      for (std::size_t group = begin; group < end; ++group) {
        for (std::size_t unit = 0; unit < grid.units(); ++unit)
          fill_unit(call, scale, image, group, unit, memory.data());
        multiply(call, scale, memory.data(), image, group);
      }
    });
  }
}

}  // namespace paring
