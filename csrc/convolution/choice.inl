// The instance of a tile for a task: one for each number of filters, so that the sums stay in registers.
#include "convolution/kernel.h"

namespace {

// Tile::run<kRows, kVectors>(task) computes kRows filters at kVectors vectors of positions.
template <typename Tile, int kMaxRows, int kWideRows, int kSingleVectors>
void any_filters(const paring::ConvolutionTask& task) {
  if constexpr (kMaxRows > 1) {
    if (task.rows < kMaxRows) return any_filters<Tile, kMaxRows - 1, kWideRows, kSingleVectors>(task);
  } else {
    if (task.positions == kSingleVectors * F32::kWidth) return Tile::template run<1, kSingleVectors>(task);
  }
  if constexpr (kMaxRows <= kWideRows) {
    if (task.positions == 4 * F32::kWidth) return Tile::template run<kMaxRows, 4>(task);
  }
  task.positions == F32::kWidth ? Tile::template run<kMaxRows, 1>(task) : Tile::template run<kMaxRows, 2>(task);
}

}  // namespace
