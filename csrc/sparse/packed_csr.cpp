#include "sparse/packed_csr.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/require.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Rows of w that are worth waking a thread for when packing.
constexpr std::size_t kGrainRows = 64;

AlignedBytes copy_floats(const float* from, std::size_t n) {
  AlignedBytes bytes(round_up(n, kSparsePanelRows) * sizeof(float));
  if (from != nullptr) std::copy(from, from + n, bytes.as<float>());
  return bytes;
}

}  // namespace

template <typename Value, typename Index>
PackedCsr::PackedCsr(const SparseKernel& kernel, const CsrView<Value, Index>& given, const float* scales,
                     const float* bias)
    : kernel_(&kernel), n_(given.rows), k_(given.columns), wide_columns_(given.columns > kMaxSparseColumns) {
  constexpr bool kFloats = std::is_same_v<Value, float>;
  require((kernel.value == SparseValue::kF32) == kFloats, "kernel: expected one for values of this type");
  require(kFloats || scales != nullptr, "scale: expected one a row");
  if (!kFloats) {
    require(!wide_columns_, [&] {
      return "in_features: integer sums of more than " + std::to_string(kMaxSparseColumns) +
             " columns with one scale do not fit 32 bits, got " + std::to_string(k_) +
             "; quantize with granularity='group'";
    });
  }
  require(k_ <= std::numeric_limits<std::uint32_t>::max(), "in_features: expected fewer than 2**32");
  // What is checked is a copy, so that nobody can change it before it is packed.
  const std::vector<Index> indptr(given.indptr, given.indptr + n_ + 1);
  const std::vector<Index> indices(given.indices, given.indices + given.stored);
  const CsrView<Value, Index> weight{given.data, indices.data(), indptr.data(), given.stored, n_, k_};
  check_csr(weight);

  const std::size_t step = entry_step(kernel.layout);
  starts_ = AlignedBytes((n_ + 1) * sizeof(std::uint64_t));
  auto* starts = starts_.as<std::uint64_t>();
  for (std::size_t r = 0; r < n_; ++r)
    starts[r + 1] = starts[r] + round_up(static_cast<std::size_t>(weight.indptr[r + 1] - weight.indptr[r]), step);
  values_ = AlignedBytes(entries() * element_bytes(kernel.layout), AlignedBytes::Fill::kNone);
  columns_ = AlignedBytes(entries() * (wide_columns_ ? 4 : 2), AlignedBytes::Fill::kNone);
  bias_ = copy_floats(bias, n_);
  if constexpr (kFloats) {
    wide_columns_ ? fill<float, std::uint32_t>(weight) : fill<float, std::uint16_t>(weight);
  } else {
    scales_ = copy_floats(scales, n_);
    fill_columns(weight);
    if (kernel.layout == SparseLayout::kU8Quads) {
      corrections_ = AlignedBytes(round_up(n_, kSparsePanelRows) * sizeof(std::int32_t));
      fill<std::int8_t, std::uint16_t>(weight);
    } else {
      fill<std::int16_t, std::uint16_t>(weight);
    }
  }
}

template <typename Packed, typename Column, typename Value, typename Index>
void PackedCsr::fill(const CsrView<Value, Index>& weight) {
  parallel_ranges(n_, kGrainRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      const auto first = static_cast<std::size_t>(weight.indptr[r]);
      const auto count = static_cast<std::size_t>(weight.indptr[r + 1]) - first;
      const std::size_t start = starts()[r], padded = starts()[r + 1] - start;
      auto* values = values_.as<Packed>() + start;
      auto* columns = columns_.as<Column>() + start;
      for (std::size_t e = 0; e < padded; ++e) {
        values[e] = e < count ? weight.data[first + e] : Value{};
        columns[e] = static_cast<Column>(e < count ? weight.indices[first + e] : Index{});
      }
      if constexpr (std::is_same_v<Packed, std::int8_t>) {
        std::int32_t sum = 0;
        for (std::size_t e = 0; e < count; ++e) sum += values[e];
        corrections_.as<std::int32_t>()[r] = 128 * sum;
      }
    }
  });
}

template <typename Index>
void PackedCsr::fill_columns(const CsrView<std::int8_t, Index>& weight) {
  require(n_ <= std::numeric_limits<std::uint32_t>::max(), "out_features: expected fewer than 2**32");
  const auto entries = static_cast<std::size_t>(weight.indptr[n_]);
  column_starts_ = AlignedBytes((k_ + 1) * sizeof(std::uint64_t));
  column_rows_ = AlignedBytes(entries * sizeof(std::uint32_t), AlignedBytes::Fill::kNone);
  column_codes_ = AlignedBytes(entries, AlignedBytes::Fill::kNone);
  auto* starts = column_starts_.as<std::uint64_t>();
  for (std::size_t e = 0; e < entries; ++e) ++starts[static_cast<std::size_t>(weight.indices[e]) + 1];
  for (std::size_t c = 0; c < k_; ++c) starts[c + 1] += starts[c];
  std::vector<std::uint64_t> next(starts, starts + k_);
  for (std::size_t r = 0; r < n_; ++r) {
    for (auto e = static_cast<std::size_t>(weight.indptr[r]); e < static_cast<std::size_t>(weight.indptr[r + 1]); ++e) {
      const std::uint64_t place = next[static_cast<std::size_t>(weight.indices[e])]++;
      column_rows_.as<std::uint32_t>()[place] = static_cast<std::uint32_t>(r);
      column_codes_.as<std::int8_t>()[place] = weight.data[e];
    }
  }
}

PackedCsr::ColumnWalk::ColumnWalk(const PackedCsr& weight, std::size_t column, std::size_t first_row)
    : weight_(&weight), end_(weight.column_starts_.as<std::uint64_t>()[column + 1]) {
  const auto* rows = weight.column_rows_.as<std::uint32_t>();
  const auto* begin = rows + weight.column_starts_.as<std::uint64_t>()[column];
  at_ = static_cast<std::uint64_t>(std::lower_bound(begin, rows + end_, first_row) - rows);
}

void PackedCsr::ColumnWalk::next(std::size_t first_row, std::size_t rows, float* values) {
  std::fill(values, values + rows, 0.0f);
  const auto* column_rows = weight_->column_rows_.as<std::uint32_t>();
  for (; at_ < end_ && column_rows[at_] < first_row + rows; ++at_) {
    const std::size_t row = column_rows[at_];
    values[row - first_row] =
        static_cast<float>(weight_->column_codes_.as<std::int8_t>()[at_]) * weight_->scales_.as<float>()[row];
  }
}

std::size_t PackedCsr::nbytes() const {
  return starts_.size() + values_.size() + columns_.size() + scales_.size() + corrections_.size() + bias_.size() +
         column_starts_.size() + column_rows_.size() + column_codes_.size();
}

const float* PackedCsr::panel(std::size_t index, SparseTask& task) const {
  const std::size_t row = index * kSparsePanelRows;
  task.starts = starts() + row;
  task.values = values_.data();
  task.columns = columns_.data();
  task.wide_columns = wide_columns_;
  task.rows = std::min(kSparsePanelRows, n_ - row);
  task.scales = scales_.size() == 0 ? nullptr : scales_.as<float>() + row;
  task.corrections = corrections_.size() == 0 ? nullptr : corrections_.as<std::int32_t>() + row;
  return bias_.as<float>() + row;
}

template PackedCsr::PackedCsr(const SparseKernel&, const CsrView<float, std::int32_t>&, const float*, const float*);
template PackedCsr::PackedCsr(const SparseKernel&, const CsrView<float, std::int64_t>&, const float*, const float*);
template PackedCsr::PackedCsr(const SparseKernel&, const CsrView<std::int8_t, std::int32_t>&, const float*,
                              const float*);
template PackedCsr::PackedCsr(const SparseKernel&, const CsrView<std::int8_t, std::int64_t>&, const float*,
                              const float*);

}  // namespace paring
