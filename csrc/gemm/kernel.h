// Packed matrix multiply, y = x * transpose(w): what a micro-kernel is and the table of them.
//
// A micro-kernel multiplies a tile of up to `mr` rows of x with one panel of `nr` rows of w (columns of y), over the
// whole of k, and leaves floats. Three kinds, by what the panel holds:
//   u8, u4  x was quantized per row to int8 in -127..127 (quantize/activation.h); w holds unsigned codes
//           with a zero point per (group, column).
//           For each group of k: acc = sum x * w (int32, exact), then
//             sums = fma(float(acc - zero_point * row_sum), scale, sums), groups in ascending order, from 0.
//           Exact: |x| <= 127, w - zero_point within +-255, so a group may have up to kMaxGroup columns; the running
//           sum of x * w itself fits by the same bound.
//   f32     sums[r][c] is one chain of fused multiply-adds in ascending k, from 0.
// Every row of the table gives the same bytes. Unsigned weights cost nothing (VPDPBUSD wants one unsigned side, and
// widening them is a mask and a shift) and leave x signed, whose row sums correct for any zero point, per group too.
//
// Weights:      panel of [step][nr][kr] codes, kr consecutive k of one column together, every group padded to kr.
//               u8: kr = 4, a byte each. u4: kr = 8 in 4 bytes: k + 0..3 in the low nibbles, k + 4..7 in the high ones.
//               f32: kr = 1.
// Activations:  tile of [quad][rows][4] int8 (kQuads), the same as int16 in the order 0, 2, 1, 3 (kPairs),
//               or [k][rows] float (kFloats). Padding is zero, so what pads the weights does not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

enum class WeightType : std::uint8_t { kU8, kU4, kF32 };
enum class ActivationLayout : std::uint8_t { kQuads, kPairs, kFloats };

inline constexpr std::size_t kMaxGroup = 65536;
inline constexpr std::size_t kMaxTileRows = 16;
inline constexpr std::size_t kMaxPanelColumns = 64;

struct PackLayout {
  WeightType type;
  std::uint8_t nr;  // columns of a panel
  std::uint8_t kr;  // consecutive k of a column that lie together

  bool operator==(const PackLayout&) const = default;
  // Bytes of one step (kr values of each of nr columns).
  constexpr std::size_t step_bytes() const {
    return type == WeightType::kF32 ? std::size_t{4} * nr * kr : std::size_t{4} * nr;
  }
};

struct TileTask {
  const void* weights;      // one panel
  const void* activations;  // one tile, packed for exactly `rows` rows
  std::size_t rows;         // 1 ... mr
  std::size_t groups;
  std::size_t group_steps;          // steps of every group but the last
  std::size_t last_group_steps;     // steps of the last group
  const float* scales;              // [groups][nr]; integer kinds only, as the next two
  const std::int32_t* zero_points;  // [groups][nr], of the unsigned codes
  const std::int32_t* row_sums;     // [groups][rows], of the quantized x
  float* sums;                      // [rows][nr], written
};

struct GemmKernel {
  const char* name;
  FeatureSet needs;
  PackLayout layout;
  ActivationLayout activations;
  std::uint8_t mr;
  void (*run)(const TileTask&);
};

// All compiled rows, best first within each weight type.
std::span<const GemmKernel> gemm_kernels();

// The best row for a weight type on a CPU with these features. Pure.
const GemmKernel& choose_gemm_kernel(WeightType type, FeatureSet have);

void gemm_s8u8_scalar(const TileTask&);
void gemm_s8u4_scalar(const TileTask&);
void gemm_f32_scalar(const TileTask&);
void gemm_s8u8_avx2(const TileTask&);
void gemm_s8u4_avx2(const TileTask&);
void gemm_f32_avx2(const TileTask&);
void gemm_f32_avx512(const TileTask&);
void gemm_s8u8_avx512vnni(const TileTask&);
void gemm_s8u4_avx512vnni(const TileTask&);

}  // namespace paring
