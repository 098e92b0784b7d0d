#include "gemm/gemm.h"

#include <algorithm>

#include "cpu/level.h"
#include "gemm/activations.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Packed rows of x in flight: half of a common 2 MB second-level cache, shared by the threads of a call.
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;
// A piece of work worth waking a thread for (some microseconds), in multiply-adds.
constexpr std::size_t kIntegerGrain = std::size_t{1} << 21;
constexpr std::size_t kFloatGrain = std::size_t{1} << 18;

void multiply_block(const PackedActivations& activations, const PackedMatrix& w, const QuantizeLoops& loops,
                    const EpilogueKernel& epilogue, Activation activation, MatrixView<float> y) {
  const std::size_t tiles = activations.tiles(), nr = w.panel_columns();
  const std::size_t tile_work = activations.first_row(1) * nr * w.k() + 1;
  const std::size_t grain = w.kernel().layout.type == WeightType::kF32 ? kFloatGrain : kIntegerGrain;
  // Panel by panel, so that a panel is read from memory once while the tiles of the block pass over it.
  parallel_ranges(w.panels() * tiles, grain / tile_work + 1, [&](std::size_t begin, std::size_t end) {
    alignas(kAlignment) float sums[kMaxTileRows * kMaxPanelColumns], exact_weights[kMaxTileRows * kMaxPanelColumns];
    TileTask task{};
    task.sums = sums;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t panel = i / tiles, tile = i % tiles, first_row = activations.first_row(tile);
      const float* bias = w.panel(panel, task);
      activations.tile(tile, task);
      w.kernel().run(task);
      const ColumnPlace* places = activations.exact_places(tile);
      for (std::size_t r = 0; places != nullptr && r < task.rows; ++r)
        w.column(loops, task, places[r], exact_weights + r * nr);
      epilogue.run({.sums = sums,
                    .sums_stride = nr,
                    .rows = task.rows,
                    .cols = std::min(nr, w.n() - panel * nr),
                    .row_scales = activations.row_scales(tile),
                    .bias = bias,
                    .exact_values = activations.exact_values(tile),
                    .exact_weights = exact_weights,
                    .activation = activation,
                    .y = y.row(first_row) + panel * nr,
                    .y_stride = y.row_stride});
    }
  });
}

}  // namespace

void gemm(MatrixView<const float> x, const PackedMatrix& w, Activation activation, MatrixView<float> y) {
  if (x.rows == 0 || w.n() == 0) return;
  const FeatureSet features = w.kernel().needs;
  const QuantizeLoops& loops = select(quantize_loops(), features);
  PackedActivations activations(w, loops);
  const EpilogueKernel& epilogue = select(epilogue_kernels(), features);
  const std::size_t mr = w.kernel().mr;
  const std::size_t per_row = std::max<std::size_t>(PackedActivations::bytes_per_row(w), 1);
  const std::size_t block = std::max(round_up(kBlockBytes / per_row, mr), mr);
  for (std::size_t row = 0; row < x.rows; row += block) {
    const std::size_t rows = std::min(block, x.rows - row);
    activations.pack({x.row(row), rows, x.cols, x.row_stride});
    multiply_block(activations, w, loops, epilogue, activation, {y.row(row), rows, y.cols, y.row_stride});
  }
}

}  // namespace paring
