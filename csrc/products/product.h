// c = a * b in float32, both sides packed on the way: the products of training, whose operands change every step.
//
// k is cut into blocks of kBlockDepth. Within a block an output is one chain of fused multiply-adds in ascending k from
// 0 (gemm/kernel.h, f32); the blocks are added to what c starts from in ascending order. So the bytes depend on the
// numbers only: not on the CPU, the threads, the strides, or the rows and columns that share a call.
#pragma once

#include <cstddef>

#include "base/aligned_bytes.h"
#include "gemm/kernel.h"
#include "products/operand.h"

namespace paring {

inline constexpr std::size_t kBlockDepth = 512;

struct Target {
  float* data;
  std::size_t rows, cols, row_stride, col_stride;

  Target transposed() const { return {data, cols, rows, col_stride, row_stride}; }
  Target block(std::size_t row, std::size_t row_count, std::size_t col, std::size_t col_count) const {
    return {data + row * row_stride + col * col_stride, row_count, col_count, row_stride, col_stride};
  }
};

// What is added to a product: nothing, what c holds, a value for each row, or one for each column. At most one of them.
struct Start {
  bool target = false;
  const float* rows = nullptr;
  const float* columns = nullptr;

  Start transposed() const { return {target, columns, rows}; }
  Start block(std::size_t row, std::size_t col) const {
    return {target, rows == nullptr ? nullptr : rows + row, columns == nullptr ? nullptr : columns + col};
  }
};

// a (rows, k), in equal tiles of at most kernel.mr rows, block of k after block.
class PackedRows {
 public:
  explicit PackedRows(const GemmKernel& kernel) : kernel_(&kernel) {}

  // On all threads. The memory is kept for the next call.
  void pack(const Operand& a);

  const GemmKernel& kernel() const { return *kernel_; }
  std::size_t rows() const { return rows_; }
  std::size_t depth() const { return depth_; }
  std::size_t tiles() const { return tiles_; }
  std::size_t blocks() const { return (depth_ + kBlockDepth - 1) / kBlockDepth; }
  std::size_t block_depth(std::size_t block) const;
  std::size_t first_row(std::size_t tile) const;
  const float* tile(std::size_t block, std::size_t index) const { return packed_.as<float>() + offset(block, index); }

 private:
  std::size_t offset(std::size_t block, std::size_t tile) const;

  const GemmKernel* kernel_;
  std::size_t rows_ = 0, depth_ = 0, tiles_ = 0;
  AlignedBytes packed_;
};

// c (a.rows(), b.cols) = start + a * b. c must not overlap a or b. On all threads, unless called on one of them.
void multiply(const PackedRows& a, const Operand& b, const Start& start, const Target& c);

// The same for an `a` that is packed here, cut so that the pieces fit caches.
void product(const GemmKernel& kernel, const Operand& a, const Operand& b, const Start& start, const Target& c);

// c[i] = a[i] * b[i] for `count` matrices, each side that many elements behind the one before.
struct StackStrides {
  std::size_t a, b, c;
};
void product_stack(const GemmKernel& kernel, std::size_t count, const Operand& a, const Operand& b, const Target& c,
                   const StackStrides& strides);

}  // namespace paring
