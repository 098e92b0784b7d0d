#include "gemm/activations.h"

#include <cstring>
#include <vector>

#include "pack/turn.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Interleaves rows of codes to [quad][rows][4] in 16 bits, with the two middle values of a quad exchanged.
void to_pairs(const std::int8_t* codes, std::size_t rows, std::size_t k, std::int16_t* out) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t q = 0; q < k / 4; ++q) {
      const std::int8_t* from = codes + r * k + q * 4;
      const std::int16_t quad[4] = {from[0], from[2], from[1], from[3]};
      std::memcpy(out + (q * rows + r) * 4, quad, sizeof quad);
    }
}

// The codes of row `row` of x.
QuantizedRow quantize_row(const LinearInput& x, std::size_t row, const QuantizeLoops& loops, std::size_t k,
                          std::int8_t* codes) {
  if (x.codes.data != nullptr) {
    std::memcpy(codes, x.codes.row(row), k);
    return {x.scale->scale, 0.0f, 0};
  }
  return x.scale ? quantize_static_row(loops, *x.scale, x.values.row(row), k, codes)
                 : quantize_activation_row(loops, x.values.row(row), k, codes);
}

std::size_t value_bytes(ActivationLayout layout) {
  switch (layout) {
    case ActivationLayout::kQuads: return 1;
    case ActivationLayout::kPairs: return 2;
    case ActivationLayout::kFloats: return 4;
  }
  return 4;
}

}  // namespace

std::size_t PackedActivations::bytes_per_row(const PackedMatrix& weight) {
  return weight.padded_k() * value_bytes(weight.kernel().activations);
}

std::size_t PackedActivations::first_row(std::size_t tile) const {
  // Equal tiles: 64 rows in tiles of at most 12 are 4 x 11 + 2 x 10, not 5 x 12 + 4.
  const std::size_t size = rows_ / tiles_, larger = rows_ % tiles_;
  return tile * size + (tile < larger ? tile : larger);
}

void PackedActivations::pack(const PackedMatrix& weight, const QuantizeLoops& loops, const LinearInput& x) {
  rows_ = x.rows();
  tiles_ = (rows_ + weight.kernel().mr - 1) / weight.kernel().mr;
  row_bytes_ = bytes_per_row(weight);
  groups_ = weight.groups();
  packed_.grow(rows_ * row_bytes_);
  const bool floats = weight.kernel().activations == ActivationLayout::kFloats;
  if (!floats) {
    row_starts_.grow(rows_ * groups_ * sizeof(std::int32_t));
    row_scales_.grow(rows_ * sizeof(float));
    exact_values_.grow(rows_ * sizeof(float));
    exact_places_.grow(rows_ * sizeof(ColumnPlace));
  }
  constexpr std::size_t kGrainValues = 32768;
  const std::size_t tile_values = weight.kernel().mr * weight.k() + 1;
  parallel_ranges(tiles_, kGrainValues / tile_values + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t tile = begin; tile < end; ++tile) {
      if (floats) {
        pack_floats(weight, x.values, tile);
      } else {
        pack_integers(weight, loops, x, tile);
      }
    }
  });
}

void PackedActivations::pack_floats(const PackedMatrix& weight, MatrixView<const float> x, std::size_t tile) {
  const std::size_t first = first_row(tile), rows = first_row(tile + 1) - first, k = weight.k();
  turn_words(x.row(first), rows, k, x.row_stride * sizeof(float), packed_.data() + first * row_bytes_,
             rows * sizeof(float));
}

void PackedActivations::pack_integers(const PackedMatrix& weight, const QuantizeLoops& loops, const LinearInput& x,
                                      std::size_t tile) {
  const std::size_t first = first_row(tile), rows = first_row(tile + 1) - first;
  const std::size_t k = weight.k(), padded_k = weight.padded_k(), groups = groups_;
  const std::size_t group = weight.group_size(), stride = weight.padded_group();
  const std::int32_t times = weight.layout().one_zero_point ? -weight.layout().zero_point : -1;
  std::byte* out = packed_.data() + first * row_bytes_;
  const bool in_place = rows == 1 && weight.kernel().activations == ActivationLayout::kQuads;
  thread_local std::vector<std::int8_t> buffer, unpadded;
  buffer.resize(in_place ? 0 : rows * padded_k);
  auto* codes = in_place ? reinterpret_cast<std::int8_t*>(out) : buffer.data();
  if (padded_k != k) unpadded.resize(k);
  auto* scales = row_scales_.as<float>() + first;
  auto* starts = row_starts_.as<std::int32_t>() + first * groups;
  for (std::size_t r = 0; r < rows; ++r) {
    std::int8_t* row = codes + r * padded_k;
    const QuantizedRow quantized = quantize_row(x, first + r, loops, k, padded_k == k ? row : unpadded.data());
    scales[r] = quantized.scale;
    exact_values_.as<float>()[first + r] = quantized.exact_value;
    exact_places_.as<ColumnPlace>()[first + r] = weight.place_of_column(quantized.exact_column);
    if (padded_k != k) {
      std::memset(row, 0, padded_k);
      for (std::size_t g = 0; g * group < k; ++g)
        std::memcpy(row + g * stride, unpadded.data() + g * group, group < k - g * group ? group : k - g * group);
    }
    for (std::size_t g = 0; g < groups; ++g)
      starts[g * rows + r] = times * loops.sum(row + g * stride, g + 1 < groups ? stride : padded_k - g * stride);
  }
  if (in_place) return;
  if (weight.kernel().activations == ActivationLayout::kQuads) {
    turn_words(codes, rows, padded_k / 4, padded_k, out, rows * 4);
  } else {
    to_pairs(codes, rows, padded_k, reinterpret_cast<std::int16_t*>(out));
  }
}

void PackedActivations::tile(std::size_t index, IntegerTask& task) const {
  const std::size_t first = first_row(index);
  task.rows = first_row(index + 1) - first;
  task.activations = packed_.data() + first * row_bytes_;
  task.row_starts = row_starts_.as<std::int32_t>() + first * groups_;
  task.row_scales = row_scales_.as<float>() + first;
  task.exact_values = exact_values_.as<float>() + first;
  task.exact_places = exact_places_.as<ColumnPlace>() + first;
}

void PackedActivations::tile(std::size_t index, FloatTask& task) const {
  const std::size_t first = first_row(index);
  task.rows = first_row(index + 1) - first;
  task.activations = packed_.as<float>(first * row_bytes_);
}

}  // namespace paring
