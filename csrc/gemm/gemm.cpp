#include "gemm/gemm.h"

#include <algorithm>

#include "cpu/level.h"
#include "gemm/activations.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Packed rows of x in flight: half of a common 2 MB second-level cache, shared by the threads of a call.
constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
// A piece of work worth waking a thread for (some microseconds), in multiply-adds.
constexpr std::size_t kIntegerGrain = std::size_t{1} << 21;
constexpr std::size_t kFloatGrain = std::size_t{1} << 18;
// Weights of more bytes than that do not stay in a second-level cache between calls.
constexpr std::size_t kFarBytes = std::size_t{1} << 20;
constexpr std::size_t kLine = 64;

void multiply_integers(const PackedActivations& activations, const PackedMatrix& w, const EpilogueKernel& epilogue,
                       Activation activation, MatrixView<float> y) {
  const GemmKernel& kernel = w.kernel();
  const std::size_t nr = w.panel_columns(), tiles = activations.tiles();
  const std::size_t rows = activations.first_row(1);
  const std::size_t panels = tiles == 1 && rows > 1 && rows <= kernel.pair_rows ? 2 : 1;
  const std::size_t units = (w.panels() + panels - 1) / panels;
  const std::size_t work = rows * nr * panels * w.k() + 1;
  const std::size_t steps = w.padded_k() / kernel.layout.kr;
  // What a tile asks for of the next panel: all of it together.
  const std::size_t ahead_step = std::min(kLine, (kernel.layout.step_bytes() + tiles - 1) / tiles);
  // Panel by panel, so that a panel is read from memory once while the tiles of the block pass over it.
  parallel_ranges(units * tiles, kIntegerGrain / work + 1, [&](std::size_t begin, std::size_t end) {
    IntegerTask task{};
    task.layout = &w.layout();
    task.far = w.nbytes() > kFarBytes;
    task.y_stride = y.row_stride;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t panel = i / tiles * panels, tile = i % tiles;
      task.panel = w.panel(panel);
      task.panels = std::min(panels, w.panels() - panel);
      task.columns = std::min(task.panels * nr, w.n() - panel * nr);
      task.y = y.row(activations.first_row(tile)) + panel * nr;
      if (tiles > 1 && panel + 1 < w.panels()) {
        task.ahead = w.panel(panel + 1) + tile * steps * ahead_step;
        task.ahead_step = ahead_step;
      } else {
        task.ahead = nullptr;
        task.ahead_step = 0;
      }
      activations.tile(tile, task);
      kernel.run_integers(task);
      if (activation != Activation::kNone)
        epilogue.activate({activation, task.y, y.row_stride, task.rows, task.columns});
    }
  });
}

void multiply_floats(const PackedActivations& activations, const PackedMatrix& w, const EpilogueKernel& epilogue,
                     Activation activation, MatrixView<float> y) {
  const std::size_t tiles = activations.tiles(), nr = w.panel_columns();
  const std::size_t tile_work = activations.first_row(1) * nr * w.k() + 1;
  parallel_ranges(w.panels() * tiles, kFloatGrain / tile_work + 1, [&](std::size_t begin, std::size_t end) {
    alignas(kAlignment) float sums[kMaxTileRows * kMaxPanelColumns];
    FloatTask task{};
    task.sums = sums;
    task.steps = w.k();
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t panel = i / tiles, tile = i % tiles;
      task.weights = reinterpret_cast<const float*>(w.panel(panel));
      activations.tile(tile, task);
      w.kernel().run_floats(task);
      epilogue.run({.sums = sums,
                    .sums_stride = nr,
                    .rows = task.rows,
                    .cols = std::min(nr, w.n() - panel * nr),
                    .row_scales = nullptr,
                    .bias = w.bias(panel),
                    .exact_values = nullptr,
                    .exact_weights = nullptr,
                    .activation = activation,
                    .y = y.row(activations.first_row(tile)) + panel * nr,
                    .y_stride = y.row_stride});
    }
  });
}

}  // namespace

void gemm(MatrixView<const float> x, const PackedMatrix& w, Activation activation, MatrixView<float> y) {
  if (x.rows == 0 || w.n() == 0) return;
  const FeatureSet features = w.kernel().needs;
  const QuantizeLoops& loops = select(quantize_loops(), features);
  thread_local PackedActivations activations;
  const EpilogueKernel& epilogue = select(epilogue_kernels(), features);
  const bool floats = w.kernel().layout.type == WeightType::kF32;
  const std::size_t mr = w.kernel().mr;
  const std::size_t per_row = std::max<std::size_t>(PackedActivations::bytes_per_row(w), 1);
  const std::size_t block = std::max(round_up(kBlockBytes / per_row, mr), mr);
  for (std::size_t row = 0; row < x.rows; row += block) {
    const std::size_t rows = std::min(block, x.rows - row);
    activations.pack(w, loops, {x.row(row), rows, x.cols, x.row_stride});
    const MatrixView<float> to{y.row(row), rows, y.cols, y.row_stride};
    if (floats) {
      multiply_floats(activations, w, epilogue, activation, to);
    } else {
      multiply_integers(activations, w, epilogue, activation, to);
    }
  }
}

}  // namespace paring
