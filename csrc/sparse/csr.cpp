#include "sparse/csr.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <type_traits>

#include "base/require.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Elements that are worth waking a thread for.
constexpr std::size_t kGrainValues = 65536;

std::size_t grain_rows(std::size_t values, std::size_t rows) { return kGrainValues / (values / (rows + 1) + 1) + 1; }

template <typename Index>
void check_indptr(const Index* indptr, std::size_t rows, std::size_t stored) {
  using std::to_string;
  require(indptr[0] == 0, [&] { return "indptr: expected to start at 0, got " + to_string(indptr[0]); });
  for (std::size_t r = 0; r < rows; ++r)
    require(indptr[r] <= indptr[r + 1], [&] {
      return "indptr: expected never to decrease, got " + to_string(indptr[r + 1]) + " after " + to_string(indptr[r]) +
             " at position " + to_string(r + 1);
    });
  require(static_cast<std::size_t>(indptr[rows]) == stored, [&] {
    return "indptr: expected to end at " + to_string(stored) + " (the stored values), got " + to_string(indptr[rows]);
  });
}

// Strictly increasing from 0 or more to less than `columns` is all that is asked of a row.
template <typename Index>
bool row_is_valid(const Index* indices, std::size_t n, std::size_t columns) {
  if (n == 0) return true;
  if (indices[0] < 0 || static_cast<std::size_t>(indices[n - 1]) >= columns) return false;
  bool increasing = true;
  for (std::size_t e = 1; e < n; ++e) increasing &= indices[e - 1] < indices[e];
  return increasing;
}

template <typename Index>
[[noreturn]] void refuse_row(const Index* indices, std::size_t begin, std::size_t end, std::size_t columns,
                             std::size_t row) {
  using std::to_string;
  for (std::size_t e = begin; e < end; ++e) {
    const Index index = indices[e];
    const std::string where = " in row " + to_string(row) + " (position " + to_string(e) + ")";
    require(index >= 0 && static_cast<std::size_t>(index) < columns, [&] {
      return "indices: expected columns of 0 to less than " + to_string(columns) + ", got " + to_string(index) + where;
    });
    if (e == begin) continue;
    require(indices[e - 1] != index, [&] { return "indices: column " + to_string(index) + " occurs twice" + where; });
    require(indices[e - 1] < index, [&] {
      return "indices: expected increasing columns, got " + to_string(index) + " after " + to_string(indices[e - 1]) +
             where;
    });
  }
  throw std::logic_error("check_csr: a valid row was refused");
}

template <typename Value>
std::size_t count_row(const CsrLoops& loops, const Value* row, std::size_t n) {
  if constexpr (std::is_same_v<Value, float>) {
    return loops.count_f32(row, n);
  } else {
    return loops.count_s8(row, n);
  }
}

template <typename Value, typename Index>
void gather_row(const CsrLoops& loops, const Value* row, std::size_t n, std::size_t count, Value* data,
                Index* indices) {
  if constexpr (std::is_same_v<Index, std::int64_t>) {  // matrices past 2**31, for which no loop is tuned
    for (std::size_t column = 0, kept = 0; kept < count && column < n; ++column) {
      if (row[column] == Value{}) continue;
      data[kept] = row[column];
      indices[kept++] = static_cast<Index>(column);
    }
  } else if constexpr (std::is_same_v<Value, float>) {
    loops.gather_f32(row, n, count, data, indices);
  } else {
    loops.gather_s8(row, n, count, data, indices);
  }
}

}  // namespace

template <typename Value, typename Index>
void check_csr(const CsrView<Value, Index>& matrix) {
  check_indptr(matrix.indptr, matrix.rows, matrix.stored);
  const auto row_end = [&](std::size_t r) { return static_cast<std::size_t>(matrix.indptr[r]); };
  std::atomic<std::size_t> first_bad{matrix.rows};
  parallel_ranges(matrix.rows, grain_rows(matrix.stored, matrix.rows), [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      if (row_is_valid(matrix.indices + row_end(r), row_end(r + 1) - row_end(r), matrix.columns)) continue;
      std::size_t known = first_bad.load();
      while (r < known && !first_bad.compare_exchange_weak(known, r)) {
      }
      return;
    }
  });
  const std::size_t bad = first_bad.load();
  if (bad < matrix.rows) refuse_row(matrix.indices, row_end(bad), row_end(bad + 1), matrix.columns, bad);
}

template <typename Value>
std::vector<std::size_t> count_non_zeros(MatrixView<const Value> weight, const CsrLoops& loops) {
  std::vector<std::size_t> indptr(weight.rows + 1);
  parallel_ranges(weight.rows, kGrainValues / (weight.cols + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) indptr[r + 1] = count_row(loops, weight.row(r), weight.cols);
  });
  for (std::size_t r = 0; r < weight.rows; ++r) indptr[r + 1] += indptr[r];
  return indptr;
}

template <typename Value, typename Index>
void gather_non_zeros(MatrixView<const Value> weight, const std::vector<std::size_t>& indptr, const CsrLoops& loops,
                      Value* data, Index* indices) {
  parallel_ranges(weight.rows, kGrainValues / (weight.cols + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r)
      gather_row(loops, weight.row(r), weight.cols, indptr[r + 1] - indptr[r], data + indptr[r], indices + indptr[r]);
  });
}

template <typename Value, typename Index>
void csr_to_dense(const CsrView<Value, Index>& matrix, const float* scale, MatrixView<float> out) {
  check_indptr(matrix.indptr, matrix.rows, matrix.stored);
  parallel_ranges(out.rows, kGrainValues / (out.cols + 1) + 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      float* row = out.row(r);
      std::fill(row, row + out.cols, 0.0f);
      const auto last = static_cast<std::size_t>(matrix.indptr[r + 1]);
      for (auto e = static_cast<std::size_t>(matrix.indptr[r]); e < last; ++e) {
        const auto column = static_cast<std::size_t>(matrix.indices[e]);  // a negative one becomes huge
        require(column < out.cols, [&] {
          return "indices: expected columns of 0 to less than " + std::to_string(out.cols) + ", got " +
                 std::to_string(matrix.indices[e]) + " in row " + std::to_string(r);
        });
        if constexpr (std::is_same_v<Value, float>) {
          row[column] = matrix.data[e];
        } else {
          row[column] = static_cast<float>(matrix.data[e]) * scale[r];
        }
      }
    }
  });
}

#define PARING_CSR_OF(Value, Index)                                                                                 \
  template void check_csr(const CsrView<Value, Index>&);                                                            \
  template void gather_non_zeros(MatrixView<const Value>, const std::vector<std::size_t>&, const CsrLoops&, Value*, \
                                 Index*);                                                                           \
  template void csr_to_dense(const CsrView<Value, Index>&, const float*, MatrixView<float>);
PARING_CSR_OF(float, std::int32_t)
PARING_CSR_OF(float, std::int64_t)
PARING_CSR_OF(std::int8_t, std::int32_t)
PARING_CSR_OF(std::int8_t, std::int64_t)
#undef PARING_CSR_OF
template std::vector<std::size_t> count_non_zeros(MatrixView<const float>, const CsrLoops&);
template std::vector<std::size_t> count_non_zeros(MatrixView<const std::int8_t>, const CsrLoops&);

}  // namespace paring
