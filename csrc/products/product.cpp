#include "products/product.h"

#include <algorithm>
#include <vector>

#include "threads/pool.h"

namespace paring {
namespace {

// A piece of work worth waking a thread for (some microseconds), in multiply-adds.
constexpr std::size_t kGrain = std::size_t{1} << 18;
// Rows of a, and blocks of k, that are packed at a time: with 512 steps a block, the rows of one block take half of a
// second-level cache of 2 MB.
constexpr std::size_t kRowsAtATime = 480;
constexpr std::size_t kBlocksAtATime = 8;
// Tiles that share the packing of a panel of b at least.
constexpr std::size_t kTilesOfTask = 4;
// Floats of partial sums when the blocks of k are shared between threads.
constexpr std::size_t kMostPartial = std::size_t{1} << 22;

struct Tile {
  const float* sums;
  std::size_t stride, rows, cols;
};

float start_of(const Start& start, const Target& c, std::size_t r, std::size_t j) {
  if (start.target) return c.data[r * c.row_stride + j * c.col_stride];
  if (start.rows != nullptr) return start.rows[r];
  return start.columns != nullptr ? start.columns[j] : 0.0f;
}

void store(const Tile& tile, const Start& start, const Target& c) {
  for (std::size_t r = 0; r < tile.rows; ++r) {
    const float* sums = tile.sums + r * tile.stride;
    float* row = c.data + r * c.row_stride;
    if (c.col_stride != 1) {
      for (std::size_t j = 0; j < tile.cols; ++j) row[j * c.col_stride] = start_of(start, c, r, j) + sums[j];
    } else if (start.target) {
      for (std::size_t j = 0; j < tile.cols; ++j) row[j] += sums[j];
    } else if (start.columns != nullptr) {
      for (std::size_t j = 0; j < tile.cols; ++j) row[j] = start.columns[j] + sums[j];
    } else {
      const float value = start.rows == nullptr ? 0.0f : start.rows[r];
      for (std::size_t j = 0; j < tile.cols; ++j) row[j] = value + sums[j];
    }
  }
}

void multiply_panel(const PackedRows& a, std::size_t first_tile, std::size_t last_tile, const Operand& b,
                    const Start& start, const Target& c, float* panel) {
  const std::size_t nr = a.kernel().layout.nr;
  alignas(kAlignment) float sums[kMaxTileRows * kMaxPanelColumns];
  FloatTask task{};
  task.weights = panel;
  task.sums = sums;
  task.sums_stride = nr;
  for (std::size_t block = 0; block < a.blocks(); ++block) {
    const std::size_t depth = a.block_depth(block);
    interleave_rows(b.block(block * kBlockDepth, depth, 0, b.cols).transposed(), nr, panel);
    task.steps = depth;
    for (std::size_t tile = first_tile; tile < last_tile; ++tile) {
      const std::size_t row = a.first_row(tile);
      task.rows = a.first_row(tile + 1) - row;
      task.activations = a.tile(block, tile);
      a.kernel().run_floats(task);
      const Start from = block == 0 ? start.block(row, 0) : Start{.target = true};
      store({sums, nr, task.rows, b.cols}, from, c.block(row, task.rows, 0, b.cols));
    }
  }
}

void set_to_start(const Start& start, const Target& c) {
  if (start.target) return;
  for (std::size_t r = 0; r < c.rows; ++r)
    for (std::size_t j = 0; j < c.cols; ++j) c.data[r * c.row_stride + j * c.col_stride] = start_of(start, c, r, j);
}

// What multiply_panel works with when rows and columns are taken as they are.
std::size_t padded_work(const GemmKernel& kernel, std::size_t rows, std::size_t cols) {
  return std::max<std::size_t>(rows, 4) * round_up(cols, kernel.layout.nr);
}

bool shares_blocks(const GemmKernel& kernel, const Operand& a, std::size_t cols) {
  const std::size_t blocks = (a.cols + kBlockDepth - 1) / kBlockDepth,
                    panels = (cols + kernel.layout.nr - 1) / kernel.layout.nr;
  const std::size_t tasks = panels * (a.rows / (kTilesOfTask * kernel.mr) + 1);
  return num_threads() > 1 && blocks >= 4 && tasks < 2 * num_threads() && blocks * a.rows * cols <= kMostPartial;
}

// Every block of k on its own, and then their sum in the order in which multiply_panel adds them.
void multiply_blocks(const GemmKernel& kernel, const Operand& a, const Operand& b, const Start& start,
                     const Target& c) {
  const std::size_t blocks = (a.cols + kBlockDepth - 1) / kBlockDepth, size = c.rows * c.cols;
  std::vector<float> partial(blocks * size);
  parallel_ranges(blocks, kGrain / (size * kBlockDepth) + 1, [&](std::size_t begin, std::size_t end) {
    PackedRows packed(kernel);
    for (std::size_t block = begin; block < end; ++block) {
      const std::size_t k = block * kBlockDepth, depth = std::min(kBlockDepth, a.cols - k);
      packed.pack(a.block(0, a.rows, k, depth));
      multiply(packed, b.block(k, depth, 0, b.cols), Start{},
               {partial.data() + block * size, c.rows, c.cols, c.cols, 1});
    }
  });
  for (std::size_t block = 0; block < blocks; ++block)
    store({partial.data() + block * size, c.cols, c.rows, c.cols}, block == 0 ? start : Start{.target = true}, c);
}

}  // namespace

std::size_t PackedRows::block_depth(std::size_t block) const {
  return std::min(kBlockDepth, depth_ - block * kBlockDepth);
}

std::size_t PackedRows::first_row(std::size_t tile) const {
  // Equal tiles: 50 rows in tiles of at most 12 are 5 x 10, not 4 x 12 + 2.
  const std::size_t size = rows_ / tiles_, larger = rows_ % tiles_;
  return tile * size + std::min(tile, larger);
}

std::size_t PackedRows::offset(std::size_t block, std::size_t tile) const {
  return block * kBlockDepth * rows_ + first_row(tile) * block_depth(block);
}

void PackedRows::pack(const Operand& a) {
  rows_ = a.rows;
  depth_ = a.cols;
  tiles_ = (rows_ + kernel_->mr - 1) / kernel_->mr;
  packed_.grow(rows_ * depth_ * sizeof(float));
  parallel_ranges(tiles_, kGrain / 8 / (kernel_->mr * depth_ + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t block = 0; block < blocks(); ++block)
      for (std::size_t t = begin; t < end; ++t) {
        const std::size_t row = first_row(t), rows = first_row(t + 1) - row;
        interleave_rows(a.block(row, rows, block * kBlockDepth, block_depth(block)), rows,
                        packed_.as<float>() + offset(block, t));
      }
  });
}

void multiply(const PackedRows& a, const Operand& b, const Start& start, const Target& c) {
  if (a.rows() == 0 || b.cols == 0) return;
  if (a.depth() == 0) return set_to_start(start, c);
  const std::size_t nr = a.kernel().layout.nr, panels = (b.cols + nr - 1) / nr;
  const std::size_t wanted = 2 * num_threads() / panels + 1;  // pieces of rows for each panel
  const std::size_t pieces = std::clamp<std::size_t>(wanted, 1, a.tiles() / kTilesOfTask + 1);
  const std::size_t work = a.rows() * a.depth() * nr / pieces + 1;
  parallel_ranges(panels * pieces, kGrain / work + 1, [&](std::size_t begin, std::size_t end) {
    AlignedBytes panel(std::min(a.depth(), kBlockDepth) * nr * sizeof(float), AlignedBytes::Fill::kNone);
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t column = i / pieces * nr, piece = i % pieces, cols = std::min(nr, b.cols - column);
      multiply_panel(a, piece * a.tiles() / pieces, (piece + 1) * a.tiles() / pieces, b.block(0, b.rows, column, cols),
                     start.block(0, column), c.block(0, c.rows, column, cols), panel.as<float>());
    }
  });
}

void product(const GemmKernel& kernel, const Operand& a, const Operand& b, const Start& start, const Target& c) {
  if (padded_work(kernel, b.cols, a.rows) < padded_work(kernel, a.rows, b.cols))
    return product(kernel, b.transposed(), a.transposed(), start.transposed(), c.transposed());
  if (a.rows == 0 || b.cols == 0) return;
  if (a.cols == 0) return set_to_start(start, c);
  if (shares_blocks(kernel, a, b.cols)) return multiply_blocks(kernel, a, b, start, c);
  constexpr std::size_t kDepthAtATime = kBlocksAtATime * kBlockDepth;
  PackedRows packed(kernel);
  for (std::size_t k = 0; k < a.cols; k += kDepthAtATime) {
    const std::size_t depth = std::min(kDepthAtATime, a.cols - k);
    for (std::size_t row = 0; row < a.rows; row += kRowsAtATime) {
      const std::size_t rows = std::min(kRowsAtATime, a.rows - row);
      packed.pack(a.block(row, rows, k, depth));
      const Start from = k == 0 ? start.block(row, 0) : Start{.target = true};
      multiply(packed, b.block(k, depth, 0, b.cols), from, c.block(row, rows, 0, c.cols));
    }
  }
}

void product_stack(const GemmKernel& kernel, std::size_t count, const Operand& a, const Operand& b, const Target& c,
                   const StackStrides& strides) {
  const std::size_t work = a.rows * a.cols * b.cols + 1;
  parallel_ranges(count, kGrain / work + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      Operand left = a, right = b;
      Target to = c;
      left.data += i * strides.a;
      right.data += i * strides.b;
      to.data += i * strides.c;
      product(kernel, left, right, {}, to);
    }
  });
}

}  // namespace paring
