#include "sparse/spmm.h"

#include <algorithm>
#include <vector>

#include "cpu/level.h"
#include "sparse/activations.h"
#include "sparse/transpose.h"
#include "threads/pool.h"

namespace paring {
namespace {

// A piece of work worth waking a thread for, in multiply-adds.
constexpr std::size_t kGrain = std::size_t{1} << 17;

void multiply(const LaneActivations& activations, const PackedCsr& w, const EpilogueKernel& epilogue,
              Activation activation, MatrixView<float> y) {
  const std::size_t panels = w.panels(), lanes = activations.lanes();
  const std::size_t panel_work = (w.entries() / panels + kSparsePanelRows) * lanes;
  // Block by block, so that one block of x stays in cache while all of w passes over it.
  parallel_ranges(activations.blocks() * panels, kGrain / panel_work + 1, [&](std::size_t begin, std::size_t end) {
    alignas(kAlignment) float sums[kSparsePanelRows * kMaxLanes], by_lane[kMaxLanes * kSparsePanelRows],
        exact_weights[kMaxLanes * kSparsePanelRows] = {};
    std::vector<PackedCsr::ColumnWalk> walks;  // one a row of x of the block at hand
    SparseTask task{};
    task.lanes = lanes;
    task.sums = sums;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t block = i / panels, panel = i % panels;
      const float* bias = w.panel(panel, task);
      task.x = activations.block(block);
      w.kernel().run(task);
      const std::size_t rows = activations.block_rows(block), first_row = panel * kSparsePanelRows;
      if (const std::uint32_t* columns = activations.exact_columns(block)) {
        if (i == begin || panel == 0) {
          walks.clear();
          for (std::size_t r = 0; r < rows; ++r) walks.emplace_back(w, columns[r], first_row);
        }
        for (std::size_t r = 0; r < rows; ++r)
          walks[r].next(first_row, task.rows, exact_weights + r * kSparsePanelRows);
      }
      if (lanes > 1) rows_to_lanes(sums, lanes, task.rows, round_up(rows, 4), kSparsePanelRows, by_lane);
      epilogue.run({.sums = lanes > 1 ? by_lane : sums,
                    .sums_stride = kSparsePanelRows,
                    .rows = rows,
                    .cols = task.rows,
                    .row_scales = activations.row_scales(block),
                    .bias = bias,
                    .exact_values = activations.exact_values(block),
                    .exact_weights = exact_weights,
                    .activation = activation,
                    .y = y.row(block * lanes) + first_row,
                    .y_stride = y.row_stride});
    }
  });
}

}  // namespace

void spmm(MatrixView<const float> x, const PackedCsr& w, Activation activation, MatrixView<float> y) {
  if (x.rows == 0 || w.n() == 0) return;
  const FeatureSet features = w.kernel().needs;
  LaneActivations activations(w, select(quantize_loops(), features));
  const EpilogueKernel& epilogue = select(epilogue_kernels(), features);
  const std::size_t at_once = LaneActivations::rows_at_once(w);
  for (std::size_t row = 0; row < x.rows; row += at_once) {
    const std::size_t rows = std::min(at_once, x.rows - row);
    activations.pack({x.row(row), rows, x.cols, x.row_stride});
    multiply(activations, w, epilogue, activation, {y.row(row), rows, y.cols, y.row_stride});
  }
}

}  // namespace paring
