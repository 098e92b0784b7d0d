#include "gemm/activations.h"

#include <cstring>
#include <vector>

#include "quantize/activation.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Interleaves rows of codes to [quad][rows][4].
void to_quads(const std::int8_t* codes, std::size_t rows, std::size_t k, std::int8_t* out) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t q = 0; q < k / 4; ++q) std::memcpy(out + (q * rows + r) * 4, codes + r * k + q * 4, 4);
}

// The same in 16 bits, with the two middle values exchanged.
void to_pairs(const std::int8_t* codes, std::size_t rows, std::size_t k, std::int16_t* out) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t q = 0; q < k / 4; ++q) {
      const std::int8_t* from = codes + r * k + q * 4;
      const std::int16_t quad[4] = {from[0], from[2], from[1], from[3]};
      std::memcpy(out + (q * rows + r) * 4, quad, sizeof quad);
    }
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

void PackedActivations::pack(MatrixView<const float> x) {
  rows_ = x.rows;
  tiles_ = (rows_ + weight_.kernel().mr - 1) / weight_.kernel().mr;
  packed_.grow(rows_ * bytes_per_row(weight_));
  const bool floats = weight_.kernel().activations == ActivationLayout::kFloats;
  if (!floats) {
    row_sums_.grow(rows_ * weight_.groups() * sizeof(std::int32_t));
    row_scales_.grow(rows_ * sizeof(float));
    exact_values_.grow(rows_ * sizeof(float));
    exact_places_.grow(rows_ * sizeof(ColumnPlace));
  }
  constexpr std::size_t kGrainValues = 32768;
  const std::size_t tile_values = weight_.kernel().mr * weight_.k() + 1;
  parallel_ranges(tiles_, kGrainValues / tile_values + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t tile = begin; tile < end; ++tile) {
      if (floats) {
        pack_floats(x, tile);
      } else {
        pack_integers(x, tile);
      }
    }
  });
}

void PackedActivations::pack_floats(MatrixView<const float> x, std::size_t tile) {
  const std::size_t first = first_row(tile), rows = first_row(tile + 1) - first, k = weight_.k();
  auto* out = packed_.as<float>(first * bytes_per_row(weight_));
  for (std::size_t r = 0; r < rows; ++r) {
    const float* row = x.row(first + r);
    for (std::size_t i = 0; i < k; ++i) out[i * rows + r] = row[i];
  }
}

void PackedActivations::pack_integers(MatrixView<const float> x, std::size_t tile) {
  const std::size_t first = first_row(tile), rows = first_row(tile + 1) - first;
  const std::size_t k = weight_.k(), padded_k = weight_.padded_k(), groups = weight_.groups();
  const std::size_t group = weight_.group_size(), stride = weight_.group_steps() * weight_.kernel().layout.kr;
  thread_local std::vector<std::int8_t> codes, unpadded;
  codes.resize(rows * padded_k);
  if (padded_k != k) unpadded.resize(k);
  auto* scales = row_scales_.as<float>() + first;
  auto* sums = row_sums_.as<std::int32_t>() + first * groups;
  for (std::size_t r = 0; r < rows; ++r) {
    std::int8_t* row = codes.data() + r * padded_k;
    const QuantizedRow quantized =
        quantize_activation_row(loops_, x.row(first + r), k, padded_k == k ? row : unpadded.data());
    scales[r] = quantized.scale;
    exact_values_.as<float>()[first + r] = quantized.exact_value;
    exact_places_.as<ColumnPlace>()[first + r] = weight_.place_of_column(quantized.exact_column);
    if (padded_k != k) {
      std::memset(row, 0, padded_k);
      for (std::size_t g = 0; g * group < k; ++g)
        std::memcpy(row + g * stride, unpadded.data() + g * group, group < k - g * group ? group : k - g * group);
    }
    for (std::size_t g = 0; g < groups; ++g)
      sums[g * rows + r] = loops_.sum(row + g * stride, g + 1 < groups ? stride : padded_k - g * stride);
  }
  std::byte* out = packed_.data() + first * bytes_per_row(weight_);
  if (weight_.kernel().activations == ActivationLayout::kQuads) {
    if (rows == 1) {
      if (padded_k > 0) std::memcpy(out, codes.data(), padded_k);
    } else {
      to_quads(codes.data(), rows, padded_k, reinterpret_cast<std::int8_t*>(out));
    }
  } else {
    to_pairs(codes.data(), rows, padded_k, reinterpret_cast<std::int16_t*>(out));
  }
}

void PackedActivations::tile(std::size_t index, TileTask& task) const {
  const std::size_t first = first_row(index);
  task.rows = first_row(index + 1) - first;
  task.activations = packed_.data() + first * bytes_per_row(weight_);
  task.row_sums = row_sums_.as<std::int32_t>() + first * weight_.groups();
}

const float* PackedActivations::row_scales(std::size_t tile) const {
  if (weight_.kernel().activations == ActivationLayout::kFloats) return nullptr;
  return row_scales_.as<float>() + first_row(tile);
}

const float* PackedActivations::exact_values(std::size_t tile) const {
  return exact() ? exact_values_.as<float>() + first_row(tile) : nullptr;
}

const ColumnPlace* PackedActivations::exact_places(std::size_t tile) const {
  return exact() ? exact_places_.as<ColumnPlace>() + first_row(tile) : nullptr;
}

}  // namespace paring
