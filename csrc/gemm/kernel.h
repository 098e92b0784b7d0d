// Packed matrix multiply, y = x * transpose(w): what a micro-kernel is and the table of them.
//
// A micro-kernel multiplies a tile of up to `mr` rows of x with one panel of `nr` rows of w (columns of y), over the
// whole of k. Two kinds:
//   integers  x was quantized to int8 (quantize/activation.h); w holds unsigned codes (u8, u4) with a zero point per
//             (group, column).
//             For each group of k: acc = sum x * (w - zero_point) (int32, exact), then
//               sum = fma(float(acc), scale, sum), groups in ascending order, from 0;
//             and y = fma(exact_value, exact_weight, fma(sum, row_scale, bias)) + 0 as in nn/epilogue.h.
//             Exact: |x| <= 128, w and zero_point in 0 ... 255, up to kMaxGroup columns a group. acc starts from
//             -zero_point * (sum of x); each x then adds x * w, so what is left of the start and what was added stay
//             within 128 * 255 * kMaxGroup, which is below 2**31.
//   floats    x stays float32. A weight is a float32, a float16 or bfloat16 widened, or of codes
//             float(code - zero_point) * scale with one rounding. sums[r][c] is one chain of fused multiply-adds in
//             ascending k, from 0, so the bytes are those of the float32 weight; the epilogue is left to the caller.
//             Several tiles expand blocks of a panel to float32 and share them (ExpandTask, FloatTask); a single tile
//             reads panels as they are (FewTask).
// Every row of the table gives the same bytes. Unsigned weights cost nothing (VPDPBUSD wants one unsigned side, and
// widening them is a mask and a shift) and leave x signed, whose row sums correct for any zero point, per group too.
//
// Weights:      panel of [step][nr][kr] codes, kr consecutive k of one column together, every group padded to kr.
//               u8: kr = 4, a byte each. u4: kr = 8 in 4 bytes: k + 0..3 in the low nibbles, k + 4..7 in the high ones.
//               f32, f16, bf16: kr = 1.
// Activations:  tile of [quad][rows][4] int8 (kQuads), the same as int16 in the order 0, 2, 1, 3 (kPairs),
//               or [k][rows] float (kFloats). Padding is zero, so what pads the weights does not matter; floats have
//               none, since a padded code times its scale may be infinite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

enum class WeightType : std::uint8_t { kU8, kU4, kF32, kF16, kBF16 };
// What x is multiplied as. Floats as weights have no row for integers.
enum class Compute : std::uint8_t { kIntegers, kFloats };
enum class ActivationLayout : std::uint8_t { kQuads, kPairs, kFloats };

inline constexpr std::size_t kMaxGroup = 65536;
inline constexpr std::size_t kMaxTileRows = 16;
inline constexpr std::size_t kMaxPanelColumns = 64;

struct PackLayout {
  WeightType type;
  std::uint8_t nr;  // columns of a panel
  std::uint8_t kr;  // consecutive k of a column that lie together
  // u8 only: codes and zero points are 128 less, signed bytes, for instructions that multiply those (SDOT).
  bool signed_bytes = false;

  bool operator==(const PackLayout&) const = default;
  // Bytes of one step (kr values of each of nr columns).
  constexpr std::size_t step_bytes() const { return is_half() ? std::size_t{2} * nr : std::size_t{4} * nr; }
  constexpr bool is_half() const { return type == WeightType::kF16 || type == WeightType::kBF16; }
  constexpr bool is_code() const { return type == WeightType::kU8 || type == WeightType::kU4; }
};

// What lies where in every panel of a packed weight, in one stream: group after group [steps][scales][zero points],
// then the bias. Scales are nr floats, zero points nr int32 (of the unsigned codes, unless there is one for all).
// Floats have one group and neither of them.
struct PanelLayout {
  std::size_t bytes = 0;             // from a panel to the next
  std::size_t groups = 1;            // at least 1
  std::size_t group_steps = 0;       // of every group but the last
  std::size_t last_group_steps = 0;  // of the last group
  std::size_t group_columns = 0;     // columns of the weight in every group but the last: at most kr * group_steps
  std::size_t last_group_columns = 0;
  std::size_t parameter_bytes = 0;  // scales and zero points of a group
  std::size_t bias_offset = 0;      // [nr] float
  bool one_zero_point = false;      // zero_point is that of all columns; IntegerTask::row_starts has it too
  std::int32_t zero_point = 0;
};

// Where one column of the weight (a k) lies in every panel: its codes are bits `shift` and up of nr 32-bit words.
struct ColumnPlace {
  std::size_t codes;   // bytes from the start of a panel
  std::size_t scales;  // the same, of its group
  unsigned shift;
};

// A tile of x times one panel, or two neighbours, with all that its output needs.
struct IntegerTask {
  const PanelLayout* layout;
  const std::byte* panel;           // the first one
  std::size_t panels;               // 1, or 2 if 1 < rows <= GemmKernel::pair_rows
  const void* activations;          // one tile, packed for exactly `rows` rows
  std::size_t rows;                 // 1 ... mr
  const std::int32_t* row_starts;   // [groups][rows]: -(sum of the quantized x), times the zero point if there is one
  const float* row_scales;          // (rows,)
  const float* exact_values;        // (rows,)
  const ColumnPlace* exact_places;  // (rows,): the columns of the exact values
  float* y;                         // row r at y + r * y_stride; exactly `columns` floats of each are written
  std::size_t y_stride;
  std::size_t columns;  // 1 ... panels * nr
  bool far;             // the weights of two panels come from memory rather than a near cache: ask for them early
  // What to ask for while computing, so many bytes further each step: a part of the next panel. Null for nothing.
  const std::byte* ahead;
  std::size_t ahead_step;
};

struct FloatTask {
  const float* weights;      // one panel, or a block of its steps
  const float* activations;  // one tile, packed for exactly `rows` rows, or a block of its steps
  std::size_t rows;          // 1 ... mr
  std::size_t steps;
  float* sums;  // row r at sums + r * sums_stride; nr floats of each are written
  std::size_t sums_stride;
  bool goes_on;            // the chains start from what sums holds, not from 0
  const std::byte* ahead;  // as in IntegerTask
  std::size_t ahead_step;
};

// A block of k of one panel, written as float32 in the layout of f32 panels. It may start and end inside a step.
struct ExpandTask {
  const PanelLayout* layout;
  const std::byte* panel;
  std::size_t from, count;  // columns of the weight
  float* out;               // [count][nr]
};

// A single tile of x times neighbouring panels over the whole of k.
// Panels that so many rows take at once: the independent chains hide the latency of the multiply-add.
constexpr std::size_t few_panels(std::size_t rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }

struct FewTask {
  const PanelLayout* layout;
  const std::byte* panel;    // the first one
  std::size_t panels;        // 1 ... few_panels(rows)
  const float* activations;  // [k][rows]
  std::size_t rows;          // 1 ... mr
  float* sums;               // row r at sums + r * sums_stride; panels * nr floats of each are written
  std::size_t sums_stride;
};

struct GemmKernel {
  const char* name;
  FeatureSet needs;
  PackLayout layout;
  ActivationLayout activations;
  std::uint8_t mr;
  std::uint8_t pair_rows;  // tiles of up to so many rows may take two panels at once
  void (*run_integers)(const IntegerTask&);
  void (*run_floats)(const FloatTask&);  // one of the two is null
  // Floats only. Without `expand` panels are float32 already; without `run_few` a single tile is run like others.
  void (*expand)(const ExpandTask&) = nullptr;
  void (*run_few)(const FewTask&) = nullptr;

  constexpr Compute compute() const {
    return activations == ActivationLayout::kFloats ? Compute::kFloats : Compute::kIntegers;
  }
};

// All compiled rows, best first within each weight type.
std::span<const GemmKernel> gemm_kernels();

// The best row for a weight type on a CPU with these features. Pure.
const GemmKernel& choose_gemm_kernel(WeightType type, Compute compute, FeatureSet have);

void gemm_s8u8_scalar(const IntegerTask&);
void gemm_s8u4_scalar(const IntegerTask&);
void gemm_f32_scalar(const FloatTask&);
void gemm_s8u8_avx2(const IntegerTask&);
void gemm_s8u4_avx2(const IntegerTask&);
void gemm_f32_avx2(const FloatTask&);
void gemm_s8u8_avxvnni(const IntegerTask&);
void gemm_s8u4_avxvnni(const IntegerTask&);
void gemm_f32_avx512(const FloatTask&);
void gemm_s8u8_avx512vnni(const IntegerTask&);
void gemm_s8u4_avx512vnni(const IntegerTask&);
void gemm_s8u8_neon(const IntegerTask&);
void gemm_s8u4_neon(const IntegerTask&);
void gemm_f32_neon(const FloatTask&);
void gemm_s8u8_neondot(const IntegerTask&);
void gemm_s8u4_neondot(const IntegerTask&);

void expand_u8_scalar(const ExpandTask&);
void expand_u4_scalar(const ExpandTask&);
void expand_f16_scalar(const ExpandTask&);
void expand_bf16_scalar(const ExpandTask&);
void expand_u8_avx2(const ExpandTask&);
void expand_u4_avx2(const ExpandTask&);
void expand_f16_avx2(const ExpandTask&);
void expand_bf16_avx2(const ExpandTask&);
void expand_u8_avx512(const ExpandTask&);
void expand_u4_avx512(const ExpandTask&);
void expand_f16_avx512(const ExpandTask&);
void expand_bf16_avx512(const ExpandTask&);
void few_f32u8_avx2(const FewTask&);
void few_f32u4_avx2(const FewTask&);
void few_f32f16_avx2(const FewTask&);
void few_f32bf16_avx2(const FewTask&);
void few_f32_avx2(const FewTask&);
void few_f32u8_avx512(const FewTask&);
void few_f32u4_avx512(const FewTask&);
void few_f32f16_avx512(const FewTask&);
void few_f32bf16_avx512(const FewTask&);
void few_f32_avx512(const FewTask&);

}  // namespace paring
