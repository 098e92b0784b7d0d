#include "gemm/multiply_floats.h"

#include <algorithm>

#include "threads/pool.h"

namespace paring {
namespace {

// A piece of work worth waking a thread for (some microseconds), in multiply-adds.
constexpr std::size_t kGrain = std::size_t{1} << 18;
constexpr std::size_t kLine = 64;

// What happens to the sums of a tile and a panel, at row `row` of the output.
class Finish {
 public:
  Finish(const PackedMatrix& w, const EpilogueKernel& epilogue, const LinearOutput& output)
      : w_(w), epilogue_(epilogue), output_(output) {}

  void operator()(const float* sums, std::size_t stride, std::size_t row, std::size_t rows, std::size_t panel) const {
    const MatrixView<float>& y = output_.values;
    const bool adds = output_.residual.data != nullptr;
    const std::size_t column = panel * w_.panel_columns(), columns = std::min(w_.panel_columns(), w_.n() - column);
    float* out = y.row(row) + column;
    epilogue_.run({.sums = sums,
                   .sums_stride = stride,
                   .rows = rows,
                   .cols = columns,
                   .row_scales = nullptr,
                   .bias = w_.bias(panel),
                   .exact_values = nullptr,
                   .exact_weights = nullptr,
                   .activation = adds ? Activation::kNone : output_.activation,
                   .y = out,
                   .y_stride = y.row_stride});
    if (adds) finish_tile(epilogue_, output_, out, y.row_stride, row, column, rows, columns);
  }

 private:
  const PackedMatrix& w_;
  const EpilogueKernel& epilogue_;
  const LinearOutput& output_;
};

// The panels of a weight as float32, a block of k at a time. The last block stays, for the next tile of the same panel.
class FloatPanels {
 public:
  FloatPanels(const PackedMatrix& w, AlignedBytes& memory) : w_(w), memory_(memory) {}

  const float* block(std::size_t panel, std::size_t from, std::size_t count) {
    const std::size_t nr = w_.panel_columns();
    if (w_.kernel().expand == nullptr) return reinterpret_cast<const float*>(w_.panel(panel)) + from * nr;
    if (panel != panel_ || from != from_) {
      memory_.grow(count * nr * sizeof(float));
      w_.kernel().expand({&w_.layout(), w_.panel(panel), from, count, memory_.as<float>()});
      panel_ = panel;
      from_ = from;
    }
    return memory_.as<float>();
  }

 private:
  const PackedMatrix& w_;
  AlignedBytes& memory_;
  std::size_t panel_ = SIZE_MAX, from_ = 0;
};

std::size_t depth_at_once(const PackedMatrix& w, std::size_t tiles) {
  const bool blocks = tiles > 1 || w.kernel().expand != nullptr;
  return std::clamp<std::size_t>(w.k(), 1, blocks ? kFloatDepth : SIZE_MAX);
}

// Between the blocks of k, sums lie in y; those of columns that y has not are made in one go at the end.
void multiply_tiles(const PackedActivations& activations, const PackedMatrix& w, const MatrixView<float>& y,
                    const Finish& finish) {
  const std::size_t tiles = activations.tiles(), nr = w.panel_columns(), depth = depth_at_once(w, tiles);
  const std::size_t tile_work = activations.first_row(1) * nr * depth + 1;
  // What a tile asks for of the next panel: all of it together.
  const std::size_t k_bytes = w.layout().bytes / std::max<std::size_t>(w.k(), 1);
  const std::size_t ahead_step = std::min(kLine, k_bytes / tiles + 1);
  for (std::size_t k = 0; k == 0 || k < w.k(); k += depth) {
    const bool last = k + depth >= w.k();
    parallel_ranges(w.panels() * tiles, kGrain / tile_work + 1, [&](std::size_t begin, std::size_t end) {
      alignas(kAlignment) float sums[kMaxTileRows * kMaxPanelColumns];
      thread_local AlignedBytes expanded;
      FloatPanels weights(w, expanded);
      FloatTask task{};
      for (std::size_t i = begin; i < end; ++i) {
        const std::size_t panel = i / tiles, tile = i % tiles, row = activations.first_row(tile);
        const bool whole = (panel + 1) * nr <= w.n();
        if (!whole && !last) continue;
        activations.tile(tile, task);
        const float* x = task.activations;
        task.sums = whole ? y.row(row) + panel * nr : sums;
        task.sums_stride = whole ? y.row_stride : nr;
        const bool more = tiles > 1 && panel + 1 < w.panels();
        task.ahead_step = more ? ahead_step : 0;
        const std::size_t until = last ? w.k() : k + depth;
        for (std::size_t from = whole ? k : 0; from == 0 || from < until; from += depth) {
          task.steps = std::min(depth, until - from);
          task.activations = x + from * task.rows;
          task.weights = weights.block(panel, from, task.steps);
          task.goes_on = from > 0;
          task.ahead = more ? w.panel(panel + 1) + from * k_bytes + tile * task.steps * ahead_step : nullptr;
          w.kernel().run_floats(task);
        }
        if (last) finish(task.sums, task.sums_stride, row, task.rows, panel);
      }
    });
  }
}

// A single tile takes panels as they are, several at once. (Expanded ones would be used only once.)
void multiply_few(const PackedActivations& activations, const PackedMatrix& w, const Finish& finish) {
  const std::size_t nr = w.panel_columns(), rows = activations.first_row(1), at_once = few_panels(rows);
  const std::size_t work = rows * nr * at_once * w.k() + 1, units = (w.panels() + at_once - 1) / at_once;
  parallel_ranges(units, kGrain / work + 1, [&](std::size_t begin, std::size_t end) {
    alignas(kAlignment) float sums[kMaxTileRows * kMaxPanelColumns];
    FloatTask tile{};
    activations.tile(0, tile);
    for (std::size_t first = begin * at_once; first < std::min(end * at_once, w.panels()); first += at_once) {
      const std::size_t panels = std::min(at_once, w.panels() - first);
      w.kernel().run_few({&w.layout(), w.panel(first), panels, tile.activations, rows, sums, at_once * nr});
      for (std::size_t p = 0; p < panels; ++p) finish(sums + p * nr, at_once * nr, 0, rows, first + p);
    }
  });
}

}  // namespace

void multiply_floats(const PackedActivations& activations, const PackedMatrix& w, const EpilogueKernel& epilogue,
                     const LinearOutput& output) {
  const Finish finish(w, epilogue, output);
  if (activations.tiles() == 1 && w.kernel().run_few != nullptr) return multiply_few(activations, w, finish);
  multiply_tiles(activations, w, output.values, finish);
}

}  // namespace paring
