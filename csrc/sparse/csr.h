// Compressed sparse rows by SciPy's conventions: row r has values data[indptr[r]] ... data[indptr[r + 1] - 1] in
// columns indices[...], strictly increasing. Checking one, making one from a dense matrix, and the way back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/matrix_view.h"
#include "sparse/csr_loops.h"

namespace paring {

// Arrays somebody else owns. Value is float or int8, Index int32 or int64.
template <typename Value, typename Index>
struct CsrView {
  const Value* data;     // (stored,)
  const Index* indices;  // (stored,)
  const Index* indptr;   // (rows + 1,)
  std::size_t stored;
  std::size_t rows;
  std::size_t columns;
};

// Throws std::invalid_argument that says what is wrong and where: the first fault of indptr, else of the first row that
// has one. `data` is not looked at. O(rows + stored), on all threads.
template <typename Value, typename Index>
void check_csr(const CsrView<Value, Index>& matrix);

// How many values each row of `weight` keeps, as an indptr: (rows + 1) running sums. -0 is not kept, NaN is.
template <typename Value>
std::vector<std::size_t> count_non_zeros(MatrixView<const Value> weight, const CsrLoops& loops);

// Fills `data` and `indices` (both indptr.back() long) with what count_non_zeros counted.
template <typename Value, typename Index>
void gather_non_zeros(MatrixView<const Value> weight, const std::vector<std::size_t>& indptr, const CsrLoops& loops,
                      Value* data, Index* indices);

// Writes every element of `out` (rows, columns): the value, or float(code) * scale[row], and +0 where none is stored.
// `scale` is null for float values. Throws std::invalid_argument for an index or row bound outside its array.
template <typename Value, typename Index>
void csr_to_dense(const CsrView<Value, Index>& matrix, const float* scale, MatrixView<float> out);

}  // namespace paring
