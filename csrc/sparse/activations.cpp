#include "sparse/activations.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "quantize/activation.h"
#include "sparse/transpose.h"
#include "threads/pool.h"

namespace paring {
namespace {

// A block is read in steps of a few columns for every row of w: it should stay in a second-level cache.
constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
// Blocks packed at once.
constexpr std::size_t kChunkBytes = std::size_t{4} << 20;
// Values of x that are worth waking a thread for.
constexpr std::size_t kGrainValues = 32768;

// The largest block of the kernel that fits, the smallest one if none does.
std::size_t lanes_that_fit(const PackedCsr& weight) {
  const SparseKernel& kernel = weight.kernel();
  std::size_t lanes = kernel.lanes[0];
  for (const std::size_t count : kernel.lanes)
    if (count * element_bytes(kernel.layout) * weight.k() <= kBlockBytes) lanes = std::max(lanes, count);
  return lanes;
}

std::size_t lanes_for(const PackedCsr& weight, std::size_t rows) {
  if (rows == 1) return 1;
  const std::size_t most = lanes_that_fit(weight), blocks = (rows + most - 1) / most;
  const std::size_t even = (rows + blocks - 1) / blocks;
  for (const std::size_t count : weight.kernel().lanes)
    if (count >= even) return count;
  return most;
}

template <typename Source, typename Element>
void single_row(const Source* row, std::size_t k, Element* out) {
  constexpr int kOffset = std::is_same_v<Element, std::uint8_t> ? 128 : 0;
  for (std::size_t i = 0; i < k; ++i) out[i] = static_cast<Element>(row[i] + kOffset);
}

}  // namespace

std::size_t LaneActivations::rows_at_once(const PackedCsr& weight) {
  const std::size_t lanes = lanes_that_fit(weight);
  const std::size_t block_bytes = lanes * element_bytes(weight.kernel().layout) * weight.k();
  return lanes * std::max<std::size_t>(kChunkBytes / std::max<std::size_t>(block_bytes, 1), 1);
}

void LaneActivations::pack(MatrixView<const float> x) {
  rows_ = x.rows;
  lanes_ = lanes_for(weight_, rows_);
  element_bytes_ = element_bytes(weight_.kernel().layout);
  if (weight_.kernel().layout == SparseLayout::kF32 && rows_ == 1) {
    data_ = reinterpret_cast<const std::byte*>(x.data);
    return;
  }
  packed_.grow(blocks() * lanes_ * element_bytes_ * weight_.k());
  data_ = packed_.data();
  switch (weight_.kernel().layout) {
    case SparseLayout::kF32: return fill_blocks<float, float>(x);
    case SparseLayout::kS16Pairs: return pack_codes<std::int16_t>(x);
    case SparseLayout::kU8Quads: return pack_codes<std::uint8_t>(x);
  }
}

template <typename Element>
void LaneActivations::pack_codes(MatrixView<const float> x) {
  const std::size_t k = weight_.k();
  codes_.grow(rows_ * k);
  row_scales_.grow(rows_ * sizeof(float));
  exact_values_.grow(rows_ * sizeof(float));
  exact_columns_.grow(rows_ * sizeof(std::uint32_t));
  auto* codes = codes_.as<std::int8_t>();
  parallel_ranges(rows_, kGrainValues / (k + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const QuantizedRow row = quantize_activation_row(loops_, x.row(r), k, codes + r * k);
      row_scales_.as<float>()[r] = row.scale;
      exact_values_.as<float>()[r] = row.exact_value;
      exact_columns_.as<std::uint32_t>()[r] = static_cast<std::uint32_t>(row.exact_column);
    }
  });
  fill_blocks<std::int8_t, Element>(contiguous<const std::int8_t>(codes, rows_, k));
}

// Threads share pieces of columns of every block: a call may have only one.
template <typename Source, typename Element>
void LaneActivations::fill_blocks(MatrixView<const Source> rows) {
  auto* out = packed_.as<Element>();
  const std::size_t k = weight_.k();
  if (lanes_ == 1) return single_row(rows.data, k, out);
  constexpr std::size_t kPiece = 64;
  const std::size_t pieces = (k + kPiece - 1) / kPiece;
  parallel_ranges(pieces * blocks(), kGrainValues / (kPiece * lanes_) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t block = i / pieces, column = i % pieces * kPiece;
      rows_to_lanes(rows.row(block * lanes_) + column, rows.row_stride, block_rows(block), std::min(kPiece, k - column),
                    lanes_, out + (block * k + column) * lanes_);
    }
  });
}

std::size_t LaneActivations::block_rows(std::size_t block) const { return std::min(lanes_, rows_ - block * lanes_); }

const float* LaneActivations::row_scales(std::size_t block) const {
  return weight_.kernel().value == SparseValue::kF32 ? nullptr : row_scales_.as<float>() + block * lanes_;
}

const float* LaneActivations::exact_values(std::size_t block) const {
  return exact() ? exact_values_.as<float>() + block * lanes_ : nullptr;
}

const std::uint32_t* LaneActivations::exact_columns(std::size_t block) const {
  return exact() ? exact_columns_.as<std::uint32_t>() + block * lanes_ : nullptr;
}

}  // namespace paring
