// The float32 micro-kernel over F32: kRows rows of w side by side, each with kVectors vectors of lanes in registers.
#include "sparse/kernel.h"

namespace {

// One row of x: F32 of width one, compiled with the file's own flags.
struct Single {
  using Vec = float;
  static constexpr std::size_t kWidth = 1;
  static Vec load(const float* p) { return *p; }
  static void store(float* p, Vec v) { *p = v; }
  static Vec set(float v) { return v; }
  static Vec fma(Vec a, Vec b, Vec c) { return __builtin_fmaf(a, b, c); }
};

template <typename V, int kVectors, typename Column>
inline void add_entry(const float* x, float value, Column column, typename V::Vec (&sums)[kVectors]) {
  const float* lanes = x + std::size_t{column} * (kVectors * V::kWidth);
  const typename V::Vec weight = V::set(value);
  for (int v = 0; v < kVectors; ++v) sums[v] = V::fma(V::load(lanes + v * V::kWidth), weight, sums[v]);
}

template <typename V, int kRows, int kVectors, typename Column>
struct Rows {
  const float* values[kRows];
  const Column* columns[kRows];
  std::size_t entries[kRows];
  typename V::Vec sums[kRows][kVectors];

  // From entry `e` of row r on, and of the rows after it. Recursive, so that sums are never indexed by a variable: they
  // would leave their registers.
  template <int r>
  inline void finish(const float* x, std::size_t from, float* out) {
    for (std::size_t e = from; e < entries[r]; ++e) add_entry<V, kVectors>(x, values[r][e], columns[r][e], sums[r]);
    for (int v = 0; v < kVectors; ++v) V::store(out + (r * kVectors + v) * V::kWidth, sums[r][v]);
    if constexpr (r + 1 < kRows) finish<r + 1>(x, from, out);
  }
};

// Rows `row` ... `row` + kRows - 1. They advance together while all have entries left, so that there are
// kRows * kVectors independent chains; then each ends alone.
template <typename V, int kRows, int kVectors, typename Column>
inline void f32_rows(const paring::SparseTask& task, std::size_t row) {
  const auto* x = static_cast<const float*>(task.x);
  Rows<V, kRows, kVectors, Column> rows;
  std::size_t common = SIZE_MAX;
  for (int r = 0; r < kRows; ++r) {
    const std::size_t begin = task.starts[row + r];
    rows.values[r] = static_cast<const float*>(task.values) + begin;
    rows.columns[r] = static_cast<const Column*>(task.columns) + begin;
    rows.entries[r] = task.starts[row + r + 1] - begin;
    common = rows.entries[r] < common ? rows.entries[r] : common;
    for (auto& v : rows.sums[r]) v = V::set(0.0f);
  }
  for (std::size_t e = 0; e < common; ++e)
    for (int r = 0; r < kRows; ++r) add_entry<V, kVectors>(x, rows.values[r][e], rows.columns[r][e], rows.sums[r]);
  rows.template finish<0>(x, common, task.sums + row * (kVectors * V::kWidth));
}

template <typename V, int kRows, int kVectors, typename Column>
void f32_panel(const paring::SparseTask& task) {
  std::size_t row = 0;
  for (; row + kRows <= task.rows; row += kRows) f32_rows<V, kRows, kVectors, Column>(task, row);
  for (; row < task.rows; ++row) f32_rows<V, 1, kVectors, Column>(task, row);
}

template <typename V, int kRows, int kVectors>
void f32_any_columns(const paring::SparseTask& task) {
  task.wide_columns ? f32_panel<V, kRows, kVectors, std::uint32_t>(task)
                    : f32_panel<V, kRows, kVectors, std::uint16_t>(task);
}

}  // namespace
