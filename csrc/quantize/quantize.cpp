#include "quantize/quantize.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "quantize/codes.h"
#include "threads/pool.h"
#include "threads/smallest_index.h"

namespace paring {
namespace {

// Columns of a piece of work where rows have nothing of their own: whole 32-bit words at every width.
constexpr std::size_t kPieceColumns = 8192;

std::size_t grain_rows(std::size_t columns) { return kGrainValues / (columns + 1) + 1; }

constexpr std::int32_t kInfinityKey = static_cast<std::int32_t>(kInfinityBits);
constexpr std::int32_t kMinusInfinityKey = float_key(std::bit_cast<std::int32_t>(kInfinityBits | 0x80000000u));

// Smallest and largest element as keys (quantize/loops.h); those of 0 for no elements.
struct KeyRange {
  std::int32_t smallest = 0, largest = 0;

  bool finite() const { return smallest > kMinusInfinityKey && largest < kInfinityKey; }
  float min() const { return std::bit_cast<float>(float_key(smallest)); }
  float max() const { return std::bit_cast<float>(float_key(largest)); }
};

// Takes ranges of a weight and remembers where the first one with NaN or infinity begins.
class FiniteRanges {
 public:
  FiniteRanges(MatrixView<const float> weight, const QuantizeLoops& loops) : weight_(weight), loops_(loops) {}

  // False if the range is not finite: the caller then stops, for whatever it finds later is not the first.
  bool take(std::size_t row, std::size_t column, std::size_t size, KeyRange& range) {
    range = {};
    if (size > 0) loops_.range_keys(weight_.row(row) + column, size, &range.smallest, &range.largest);
    if (range.finite()) return true;
    first_.report(row * weight_.cols + column);
    return false;
  }

  void throw_if_any() const {
    if (!first_.found()) return;
    std::size_t index = first_.get();
    const std::size_t last = weight_.rows * weight_.cols - 1;
    while (index < last && (std::bit_cast<std::uint32_t>(weight_.data[index]) & 0x7fffffffu) < kInfinityBits) ++index;
    throw std::invalid_argument("weight: NaN or infinity at row " + std::to_string(index / weight_.cols) + ", column " +
                                std::to_string(index % weight_.cols));
  }

 private:
  MatrixView<const float> weight_;
  const QuantizeLoops& loops_;
  SmallestIndex first_;
};

// Runs function(row, column, size) on pieces of a matrix whose rows have nothing of their own.
template <typename Function>
void over_pieces(std::size_t rows, std::size_t columns, const Function& function) {
  const std::size_t pieces = (columns + kPieceColumns - 1) / kPieceColumns;
  parallel_ranges(rows * pieces, grain_rows(std::min(columns, kPieceColumns)), [&](std::size_t begin, std::size_t end) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::size_t column = p % pieces * kPieceColumns;
      function(p / pieces, column, std::min(kPieceColumns, columns - column));
    }
  });
}

KeyRange range_of_tensor(MatrixView<const float> weight, const QuantizeLoops& loops) {
  FiniteRanges ranges(weight, loops);
  KeyRange total;
  bool any = false;
  std::mutex lock;
  over_pieces(1, weight.rows * weight.cols, [&](std::size_t, std::size_t begin, std::size_t size) {
    KeyRange piece;
    // A contiguous matrix is one long row; columns beyond the first row reach the later ones.
    if (!ranges.take(0, begin, size, piece)) return;
    const std::lock_guard guard(lock);
    total.smallest = any ? std::min(total.smallest, piece.smallest) : piece.smallest;
    total.largest = any ? std::max(total.largest, piece.largest) : piece.largest;
    any = true;
  });
  ranges.throw_if_any();
  return total;
}

void quantize_tensor(const QuantizeRequest& request, const QuantizeLoops& loops) {
  MatrixView<const float> weight = request.weight;
  MatrixView<std::uint8_t> data = request.data;
  const KeyRange range = range_of_tensor(weight, loops);
  const Grid grid = grid_of_range(request.scheme, range.min(), range.max());
  request.scales[0] = grid.scale;
  if (request.zero_points) request.zero_points[0] = grid.zero_point;
  const int bits = request.scheme.bits;
  if (bits == 8) {
    over_pieces(1, weight.rows * weight.cols, [&](std::size_t, std::size_t begin, std::size_t size) {
      loops.quantize(weight.data + begin, size, grid.rule, reinterpret_cast<std::int8_t*>(data.data) + begin);
    });
    return;
  }
  over_pieces(weight.rows, weight.cols, [&](std::size_t row, std::size_t begin, std::size_t size) {
    std::int8_t codes[kPieceColumns];
    loops.quantize(weight.row(row) + begin, size, grid.rule, codes);
    pack_row(codes, size, bits, data.row(row) + begin / 8 * static_cast<std::size_t>(bits));
  });
}

void quantize_rows(const QuantizeRequest& request, const QuantizeLoops& loops) {
  const MatrixView<const float> weight = request.weight;
  const std::size_t columns = weight.cols, groups = group_count(columns, request.group_size);
  const std::size_t group_size = request.group_size == 0 ? columns : request.group_size;
  const int bits = request.scheme.bits;
  FiniteRanges ranges(weight, loops);
  parallel_ranges(weight.rows, grain_rows(columns), [&](std::size_t begin, std::size_t end) {
    std::vector<std::int8_t> scratch(bits == 8 ? 0 : columns);
    std::vector<KeyRange> row_ranges(groups);
    std::vector<CodeRule> rules(groups);
    const auto first = [&](std::size_t g) { return g * group_size; };
    const auto size = [&](std::size_t g) { return std::min(group_size, columns - first(g)); };
    for (std::size_t row = begin; row < end; ++row) {
      std::int8_t* codes = bits == 8 ? reinterpret_cast<std::int8_t*>(request.data.row(row)) : scratch.data();
      // One step after the other for the whole row: for small groups, taking all steps of a group at once costs twice
      // the time, since each step waits for the one before.
      for (std::size_t g = 0; g < groups; ++g) {
        if (!ranges.take(row, first(g), size(g), row_ranges[g])) return;
      }
      for (std::size_t g = 0; g < groups; ++g) {
        const Grid grid = grid_of_range(request.scheme, row_ranges[g].min(), row_ranges[g].max());
        rules[g] = grid.rule;
        request.scales[row * groups + g] = grid.scale;
        if (request.zero_points) request.zero_points[row * groups + g] = grid.zero_point;
      }
      for (std::size_t g = 0; g < groups; ++g)
        loops.quantize(weight.row(row) + first(g), size(g), rules[g], codes + first(g));
      if (bits != 8) pack_row(codes, columns, bits, request.data.row(row));
    }
  });
  ranges.throw_if_any();
}

}  // namespace

void quantize_weight(const QuantizeRequest& request, const QuantizeLoops& loops) {
  if (request.per_tensor) {
    quantize_tensor(request, loops);
  } else {
    quantize_rows(request, loops);
  }
}

void group_ranges(MatrixView<const float> weight, std::size_t group_size, float* smallest, float* largest,
                  const QuantizeLoops& loops) {
  const std::size_t groups = group_count(weight.cols, group_size);
  const std::size_t columns = group_size == 0 ? weight.cols : group_size;
  FiniteRanges ranges(weight, loops);
  parallel_ranges(weight.rows, grain_rows(weight.cols), [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t first = g * columns;
        KeyRange range;
        if (!ranges.take(row, first, std::min(columns, weight.cols - first), range)) return;
        smallest[row * groups + g] = range.min();
        largest[row * groups + g] = range.max();
      }
    }
  });
  ranges.throw_if_any();
}

}  // namespace paring
