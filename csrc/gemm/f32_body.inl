// The float32 micro-kernel over F32: kRows x (kColumns * F32::kWidth) accumulators, one fused multiply-add chain each.
#include "base/simd/unroll.h"
#include "gemm/kernel.h"

namespace {

template <int kRows, int kColumns, bool kGoesOn>
void f32_tile(const paring::FloatTask& task) {
  constexpr std::size_t kPanel = kColumns * F32::kWidth;
  const float *w = task.weights, *x = task.activations;
  const std::byte* ahead = task.ahead != nullptr ? task.ahead : reinterpret_cast<const std::byte*>(w);
  F32::Vec sums[kRows][kColumns];
  const auto each = [&](const auto& function) PARING_INLINE {
    unroll<kRows>([&](auto r) PARING_INLINE { unroll<kColumns>([&](auto c) PARING_INLINE { function(r, c); }); });
  };
  const auto place = [&](int r, int c) PARING_INLINE { return task.sums + r * task.sums_stride + c * F32::kWidth; };
  each([&](auto r, auto c) PARING_INLINE { sums[r][c] = kGoesOn ? F32::load(place(r, c)) : F32::set(0.0f); });
  for (std::size_t k = 0; k < task.steps; ++k, w += kPanel, x += kRows) {
    __builtin_prefetch(ahead, 0, 2);
    ahead += task.ahead_step;
    F32::Vec column[kColumns];
    unroll<kColumns>([&](auto c) PARING_INLINE { column[c] = F32::load(w + c * F32::kWidth); });
    unroll<kRows>([&](auto r) PARING_INLINE {
      const F32::Vec value = F32::set(x[r]);
      unroll<kColumns>([&](auto c) PARING_INLINE { sums[r][c] = F32::fma(value, column[c], sums[r][c]); });
    });
  }
  each([&](auto r, auto c) PARING_INLINE { F32::store(place(r, c), sums[r][c]); });
}

// One instance a row count, so that the accumulators stay in registers.
template <int kMaxRows, int kColumns>
void f32_any_rows(const paring::FloatTask& task) {
  if constexpr (kMaxRows > 1) {
    if (task.rows < kMaxRows) return f32_any_rows<kMaxRows - 1, kColumns>(task);
  }
  task.goes_on ? f32_tile<kMaxRows, kColumns, true>(task) : f32_tile<kMaxRows, kColumns, false>(task);
}

}  // namespace
