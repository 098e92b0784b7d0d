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
// Memory of a grid that a thread keeps for the next call; larger ones are given back.
constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

// Memory for a grid of this thread.
class GridMemory {
 public:
  explicit GridMemory(std::size_t bytes) {
    thread_local AlignedBytes kept;
    AlignedBytes& memory = bytes <= kKeptBytes ? kept : own_;
    memory.grow(bytes);
    data_ = memory.data();
  }
  std::byte* data() const { return data_; }

 private:
  AlignedBytes own_;
  std::byte* data_;
};

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

// The codes of a plane: those given, or rounded into `memory`.
const std::int8_t* codes_of_plane(const Call& call, const ImageScale& scale, std::size_t image, std::size_t channel,
                                  std::int8_t* memory) {
  const ImageInput& x = call.x;
  const std::size_t size = call.shape.plane();
  if (x.codes.data != nullptr) return x.codes.plane(image, channel);
  if (!scale.finite || scale.scale == 0.0f) {
    std::memset(memory, 0, size);
  } else if (x.scale) {
    call.loops.round_to_codes(x.values.plane(image, channel), size, 1.0f / scale.scale, scale.zero_point, memory);
  } else {
    call.loops.round_products(x.values.plane(image, channel), size, 1.0f / scale.scale, memory);
  }
  return memory;
}

void fill_unit(const Call& call, const ImageScale& scale, std::size_t image, std::size_t group, std::size_t unit,
               std::byte* grid) {
  const std::size_t group_channels = call.filters.shape().group_channels;
  const std::size_t first = unit * call.grid.unit_channels();
  const std::size_t channel = group * group_channels + first;
  const void* planes[4] = {};
  if (!call.integers()) {
    planes[0] = call.x.values.plane(image, channel);
    return call.grid.fill(unit, planes, 0, grid);
  }
  const std::size_t plane = call.shape.plane(), channels = call.grid.unit_channels();
  thread_local std::vector<std::int8_t> codes;
  if (codes.size() < channels * plane) codes.resize(channels * plane);
  for (std::size_t c = 0; c < channels && first + c < group_channels; ++c)
    planes[c] = codes_of_plane(call, scale, image, channel + c, codes.data() + c * plane);
  call.grid.fill(unit, planes, static_cast<std::int8_t>(scale.zero_point), grid);
}

// Calls run(place in the tile, place in the output, length) for what of the positions [position, position + count) are
// outputs: between two rows of them may lie others.
template <typename Run>
void each_run(const Grid& grid, std::size_t position, std::size_t count, const Run& run) {
  const std::size_t row_words = grid.row_words(), width = grid.row_outputs();
  if (row_words == width) return run(0, position, count);
  std::size_t line = position / row_words, column = position % row_words;
  for (std::size_t p = 0; p < count; ++line, column = 0) {
    const std::size_t left = count - p;
    if (column < width) run(p, line * width + column, std::min(width - column, left));
    p += std::min(row_words - column, left);
  }
}

// What a tile becomes, where not all of it is output: whole vectors here, then what is wanted of them there.
struct PartialTile {
  alignas(kAlignment) float values[kMostFilterRows * kMostPositions];
  alignas(kAlignment) float residual[kMostFilterRows * kMostPositions];
  alignas(kAlignment) std::int8_t codes[kMostFilterRows * kMostPositions];

  void store(const Call& call, std::size_t row, std::size_t rows, std::size_t position, std::size_t count,
             std::size_t width) {
    const LinearOutput& y = call.y;
    const bool adds = y.residual.data != nullptr, as_codes = y.codes.data != nullptr;
    LinearOutput own{.activation = y.activation, .residual = {}, .values = {}, .codes = {}, .scale = y.scale};
    if (adds) {
      std::fill_n(residual, rows * width, 0.0f);
      each_run(call.grid, position, count, [&](std::size_t p, std::size_t to, std::size_t length) {
        for (std::size_t r = 0; r < rows; ++r)
          std::copy_n(y.residual.row(row + r) + to, length, residual + r * width + p);
      });
      own.residual = contiguous<const float>(residual, rows, width);
    }
    if (as_codes) own.codes = contiguous(codes, rows, width);
    finish_tile(call.epilogue, own, values, width, 0, 0, rows, width);
    each_run(call.grid, position, count, [&](std::size_t p, std::size_t to, std::size_t length) {
      for (std::size_t r = 0; r < rows; ++r) {
        if (as_codes) {
          std::memcpy(y.codes.row(row + r) + to, codes + r * width + p, length);
        } else {
          std::memcpy(y.values.row(row + r) + to, values + r * width + p, length * sizeof(float));
        }
      }
    });
  }
};

std::size_t positions_at_once(const ConvolutionKernel& kernel, std::size_t rows, std::size_t left) {
  if (rows == 1 && left >= kernel.single_positions) return kernel.single_positions;
  if (left <= kernel.few_positions) return kernel.few_positions;
  return rows <= kernel.wide_rows && left > kernel.positions ? 2 * kernel.positions : kernel.positions;
}

// A tile of filters at positions [begin, begin + count).
void run_tile(const Call& call, ConvolutionTask task, const std::byte* grid, std::size_t row, std::size_t begin,
              std::size_t count) {
  const ConvolutionKernel& kernel = call.filters.kernel();
  PartialTile tile;
  const std::size_t row_words = call.grid.row_words(), width = call.grid.row_outputs();
  for (std::size_t p = begin; p < begin + count; p += task.positions) {
    const std::size_t left = begin + count - p;
    task.positions = positions_at_once(kernel, task.rows, left);
    const std::size_t here = std::min(left, task.positions), column = p % row_words;
    const bool whole = here == task.positions && (row_words == width || column + here <= width);
    const bool direct = whole && call.y.codes.data == nullptr;
    const std::size_t to = p / row_words * width + column;
    task.grid = grid + p * 4;
    task.y = direct ? call.y.values.row(row) + to : tile.values;
    task.y_stride = direct ? call.y.values.row_stride : task.positions;
    kernel.run(task);
    if (whole) {
      finish_tile(call.epilogue, call.y, task.y, task.y_stride, row, to, task.rows, here);
    } else {
      tile.store(call, row, task.rows, p, here, task.positions);
    }
  }
}

// All filters of a group over its grid.
void multiply(const Call& call, const ImageScale& scale, const std::byte* grid, std::size_t image, std::size_t group) {
  const PackedFilters& filters = call.filters;
  const ConvolutionKernel& kernel = filters.kernel();
  const std::size_t tiles = filters.tiles(), positions = call.grid.positions(),
                    first_filter = group * filters.shape().group_filters();
  const std::size_t rows = filters.first_filter(1);
  const std::size_t width = rows == 1 ? kernel.single_positions : kernel.positions * (rows <= kernel.wide_rows ? 2 : 1);
  const std::size_t pieces = (positions + width - 1) / width;
  const float image_scale = !scale.finite ? std::numeric_limits<float>::quiet_NaN() : scale.scale;
  const std::size_t work = filters.first_filter(1) * width * filters.shape().depth() + 1;
  // Positions change fastest where the grid fits beside a tile of filters.
  const bool positions_first = call.grid.bytes() <= kNearBytes || tiles * filters.tile_bytes() > call.grid.bytes();
  const auto range = [&](std::size_t begin, std::size_t end) {
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
  };
  filters.shape().groups == 1 ? parallel_ranges(tiles * pieces, kGrain / work + 1, range) : range(0, tiles * pieces);
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
      const GridMemory memory(grid.bytes());
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
      const GridMemory memory(grid.bytes());
      for (std::size_t group = begin; group < end; ++group) {
        for (std::size_t unit = 0; unit < grid.units(); ++unit)
          fill_unit(call, scale, image, group, unit, memory.data());
        multiply(call, scale, memory.data(), image, group);
      }
    });
  }
}

}  // namespace paring
