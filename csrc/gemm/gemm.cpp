#include "gemm/gemm.h"

#include <algorithm>

#include "cpu/level.h"
#include "gemm/activations.h"
#include "gemm/multiply_floats.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Packed rows of x in flight: half of a common 2 MB second-level cache, shared by the threads of a call.
constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
// A piece of work worth waking a thread for (some microseconds), in multiply-adds.
constexpr std::size_t kIntegerGrain = std::size_t{1} << 20;
// Weights of more bytes than that do not stay in a second-level cache between calls.
constexpr std::size_t kFarBytes = std::size_t{1} << 20;
constexpr std::size_t kLine = 64;

void multiply_integers(const PackedActivations& activations, const PackedMatrix& w, const EpilogueKernel& epilogue,
                       const LinearOutput& y) {
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
    alignas(kAlignment) float values[kMaxTileRows * 2 * kMaxPanelColumns];  // of a tile that becomes codes
    const bool codes = y.codes.data != nullptr;
    IntegerTask task{};
    task.layout = &w.layout();
    task.far = w.nbytes() > kFarBytes;
    task.y_stride = codes ? panels * nr : y.values.row_stride;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t panel = i / tiles * panels, tile = i % tiles;
      task.panel = w.panel(panel);
      task.panels = std::min(panels, w.panels() - panel);
      task.columns = std::min(task.panels * nr, w.n() - panel * nr);
      const std::size_t row = activations.first_row(tile);
      task.y = codes ? values : y.values.row(row) + panel * nr;
      if (tiles > 1 && panel + 1 < w.panels()) {
        task.ahead = w.panel(panel + 1) + tile * steps * ahead_step;
        task.ahead_step = ahead_step;
      } else {
        task.ahead = nullptr;
        task.ahead_step = 0;
      }
      activations.tile(tile, task);
      kernel.run_integers(task);
      finish_tile(epilogue, y, task.y, task.y_stride, row, panel * nr, task.rows, task.columns);
    }
  });
}

// Rows of x that are packed at a time: those parts of them that are in use together fit kBlockBytes.
std::size_t rows_at_once(const PackedMatrix& w) {
  const std::size_t mr = w.kernel().mr, per_row = std::max<std::size_t>(PackedActivations::bytes_per_row(w), 1);
  const std::size_t part =
      w.kernel().compute() == Compute::kFloats ? std::min(per_row, kFloatDepth * sizeof(float)) : per_row;
  return std::max(round_up(kBlockBytes / part, mr), mr);
}

template <typename T>
MatrixView<T> rows_of(const MatrixView<T>& view, std::size_t begin, std::size_t count) {
  return view.data == nullptr ? view : MatrixView<T>{view.row(begin), count, view.cols, view.row_stride};
}

}  // namespace

LinearInput LinearInput::part(std::size_t begin, std::size_t count) const {
  return {rows_of(values, begin, count), rows_of(codes, begin, count), scale};
}

LinearOutput LinearOutput::part(std::size_t begin, std::size_t count) const {
  return {activation, rows_of(residual, begin, count), rows_of(values, begin, count), rows_of(codes, begin, count),
          scale};
}

void finish_tile(const EpilogueKernel& epilogue, const LinearOutput& y, float* tile, std::size_t stride,
                 std::size_t row, std::size_t column, std::size_t rows, std::size_t columns) {
  const bool adds = y.residual.data != nullptr, codes = y.codes.data != nullptr;
  if (!adds && !codes && y.activation == Activation::kNone) return;
  epilogue.activate({.activation = y.activation,
                     .residual = adds ? y.residual.row(row) + column : nullptr,
                     .residual_stride = y.residual.row_stride,
                     .y = tile,
                     .y_stride = stride,
                     .rows = rows,
                     .cols = columns,
                     .codes = codes ? y.codes.row(row) + column : nullptr,
                     .codes_stride = y.codes.row_stride,
                     .inverse_scale = 1.0f / y.scale.scale,
                     .zero_point = y.scale.zero_point});
}

void gemm(const LinearInput& x, const PackedMatrix& w, const LinearOutput& y) {
  const std::size_t m = x.rows();
  if (m == 0 || w.n() == 0) return;
  const FeatureSet features = w.kernel().needs;
  const QuantizeLoops& loops = select(quantize_loops(), features);
  thread_local PackedActivations activations;
  const EpilogueKernel& epilogue = select(epilogue_kernels(), features);
  const bool floats = w.kernel().compute() == Compute::kFloats;
  const std::size_t block = rows_at_once(w);
  for (std::size_t row = 0; row < m; row += block) {
    const std::size_t rows = std::min(block, m - row);
    activations.pack(w, loops, x.part(row, rows));
    if (floats) {
      multiply_floats(activations, w, epilogue, y.part(row, rows));
    } else {
      multiply_integers(activations, w, epilogue, y.part(row, rows));
    }
  }
}

}  // namespace paring
