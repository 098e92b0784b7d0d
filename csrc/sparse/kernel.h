// Packed CSR times dense, y = x * transpose(w) for a sparse w: what a micro-kernel is and the table of them.
//
// A micro-kernel takes a panel of up to kSparsePanelRows rows of w (columns of y) and a block of `lanes` rows of x, and
// leaves floats. Vectors run over the rows of x (lanes), never over k. By the type of the values:
//   f32  sums[r][lane] is one chain of fused multiply-adds over the non-zeros of row r in ascending column, from +0.
//        For finite x that is the dense chain bit for bit: fma(x, 0, sum) leaves sum as it is. (A sum that underflowed
//        to -0 may differ in the sign of zero, which nn/epilogue.h removes.)
//   s8   x was quantized per row to int8 in -127..127 (quantize/activation.h). acc = exact int32 sum of code * x;
//        sums = fma(float(acc), scale[r], 0). Exact: |code * x| <= 128 * 127, and k <= kMaxSparseColumns.
// So every row of the table gives the same bytes, and the same as the dense kernels of gemm/kernel.h.
//
// Layouts (w and x belong together):
//   kF32      values float; x [k][lanes] float.
//   kS16Pairs codes as int16; x [k][lanes] int16. Entries of a row padded to an even number.
//   kU8Quads  codes as int8; x [k][lanes] uint8, code + 128: `corrections` holds 128 * (sum of the row's codes).
//             Entries padded to a multiple of four. |sum of code * (x + 128)| <= 128 * 255 * 65536 < 2**31.
// Padding entries have code 0 and column 0. Columns are uint16 up to 65536 columns, else (kF32 only) uint32.
// lanes = 1 is a single row of x, x [k]: there the instructions of several rows of w run side by side instead.
//
// Fast when few weights are left: the cost is one vector load of x a non-zero, against the several multiply-adds a load
// that a dense tile makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

enum class SparseValue : std::uint8_t { kF32, kS8 };
enum class SparseLayout : std::uint8_t { kF32, kS16Pairs, kU8Quads };

inline constexpr std::size_t kMaxSparseColumns = 65536;  // of kS8
inline constexpr std::size_t kSparsePanelRows = 16;
inline constexpr std::size_t kMaxLanes = 64;

// Entries of a row are a multiple of this.
constexpr std::size_t entry_step(SparseLayout layout) {
  return layout == SparseLayout::kF32 ? 1 : layout == SparseLayout::kS16Pairs ? 2 : 4;
}

// Bytes of one value of w and of one element of x.
constexpr std::size_t element_bytes(SparseLayout layout) {
  return layout == SparseLayout::kF32 ? 4 : layout == SparseLayout::kS16Pairs ? 2 : 1;
}

struct SparseTask {
  const std::uint64_t* starts;  // (rows + 1,): row r has entries starts[r] ... starts[r + 1] - 1
  const void* values;           // of all rows of w
  const void* columns;          // the same
  bool wide_columns;            // uint32 instead of uint16
  std::size_t rows;             // 1 ... kSparsePanelRows
  std::size_t lanes;            // 1, or one of the kernel's lane counts
  const void* x;
  const float* scales;              // (rows,); kS8 only, as the next
  const std::int32_t* corrections;  // (rows,); kU8Quads only
  float* sums;                      // [rows][lanes], written
};

struct SparseKernel {
  const char* name;
  FeatureSet needs;
  SparseValue value;
  SparseLayout layout;
  std::uint8_t lanes[4];  // the block sizes besides 1, ascending; 0 for none
  void (*run)(const SparseTask&);

  std::size_t most_lanes() const {
    std::size_t most = 1;
    for (const std::size_t count : lanes) most = count > most ? count : most;
    return most;
  }
};

// All compiled rows, best first within each value type.
std::span<const SparseKernel> sparse_kernels();

// The best row for a value type on a CPU with these features. Pure.
const SparseKernel& choose_sparse_kernel(SparseValue value, FeatureSet have);

void spmm_f32_scalar(const SparseTask&);
void spmm_f32_avx2(const SparseTask&);
void spmm_f32_avx512(const SparseTask&);
void spmm_s8_scalar(const SparseTask&);
void spmm_s8_avx2(const SparseTask&);
void spmm_s8_avx512vnni(const SparseTask&);
void spmm_f32_neon(const SparseTask&);
void spmm_s8_neon(const SparseTask&);

}  // namespace paring
