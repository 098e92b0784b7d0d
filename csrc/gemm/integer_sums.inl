// The sums of an integer tile over F32 and I32 (base/simd): where they start, and the steps that add to them. A kind of
// weights W adds the products of a step:
//
//   W::X                          an element of packed x
//   W::kStepValues                elements of x of one row and step
//   W::kMask                      the bits of a code
//   W::kSigned                    whether codes of a byte lie as signed ones (PackLayout::signed_bytes)
//   W::kRegisters                 vector registers there are
//   W::add_step(w, next, x, acc)  one step of all vectors; those of the second panel lie `next` bytes behind the
//   first's
//
// A tile has kRows x kVectors sums, kPanelVectors of them a panel, all in registers.
#pragma once

#include "base/simd/unroll.h"
#include "gemm/kernel.h"

namespace {

template <int kRows, int kVectors>
using Sums = I32::Vec[kRows][kVectors];

template <int kRows, int kVectors, typename Function>
PARING_INLINE inline void each_sum(const Function& function) {
  unroll<kRows>([&](auto r) PARING_INLINE { unroll<kVectors>([&](auto v) PARING_INLINE { function(r, v); }); });
}

PARING_INLINE inline void ask_for(const std::byte* line) { __builtin_prefetch(line, 0, 3); }
PARING_INLINE inline void ask_for_later(const std::byte* line) { __builtin_prefetch(line, 0, 2); }

constexpr std::size_t kLine = 64, kWidth = F32::kWidth;
// Two vectors a panel, and more of short ones: panels have a multiple of 16 columns.
constexpr int kPanelVectors = kWidth < 8 ? 16 / static_cast<int>(kWidth) : 2;
constexpr std::size_t kPanel = kPanelVectors * kWidth;
constexpr std::size_t kStepBytes = kPanel * 4;
// How far ahead of use weights are asked for that come from memory.
constexpr std::size_t kFarBytes = 4096;

// Vector v of what lies at `from` in the first panel and `next` bytes further in the second.
PARING_INLINE inline const std::byte* vector_at(const void* from, std::size_t next, int v) {
  return static_cast<const std::byte*>(from) + static_cast<std::size_t>(v / kPanelVectors) * next +
         static_cast<std::size_t>(v % kPanelVectors) * kWidth * 4;
}
PARING_INLINE inline F32::Vec floats_at(const void* from, std::size_t next, int v) {
  return F32::load(reinterpret_cast<const float*>(vector_at(from, next, v)));
}
// Zero points follow the scales.
template <bool kOneZeroPoint>
PARING_INLINE inline I32::Vec zero_point_at(const paring::PanelLayout& layout, const void* scales, int v) {
  if constexpr (kOneZeroPoint) return I32::set(layout.zero_point);
  return I32::load(vector_at(scales, layout.bytes, v) + kPanel * sizeof(float));
}

// Enough independent sums to hide the latency of the multiply-add, where the registers allow it.
constexpr int sets_of(int sums, int registers) {
  int sets = 1;
  while (sums * sets < 10 && sums * sets * 2 + 5 <= registers) sets *= 2;
  return sets;
}

// Adds the products of `steps` steps to acc, and moves w and x behind them.
template <typename W, int kRows, int kPanels, bool kFar>
PARING_INLINE inline void add_steps(const paring::IntegerTask& t, std::size_t steps, const std::uint8_t*& w,
                                    const typename W::X*& x, const std::byte*& ahead,
                                    Sums<kRows, kPanelVectors * kPanels>& acc) {
  constexpr int kVectors = kPanelVectors * kPanels, kSets = sets_of(kRows * kVectors, W::kRegisters);
  constexpr std::size_t kStepValues = static_cast<std::size_t>(kRows) * W::kStepValues;
  const std::size_t next = t.layout->bytes;
  Sums<kRows, kVectors> others[kSets];  // the first one is not used: it is acc
  unroll<kSets>([&](auto set) PARING_INLINE {
    each_sum<kRows, kVectors>([&](auto r, auto v) PARING_INLINE { others[set][r][v] = I32::set(0); });
  });
  const auto step = [&](auto& sums, std::size_t i) PARING_INLINE {
    if constexpr (kFar) {
      unroll<kPanels>([&](auto p) PARING_INLINE {
        for (std::size_t line = 0; line < kStepBytes; line += kLine)
          ask_for(reinterpret_cast<const std::byte*>(w) + i * kStepBytes + p * next + kFarBytes + line);
      });
    }
    W::template add_step<kRows, kVectors>(w + i * kStepBytes, next, x + i * kStepValues, sums);
  };
  std::size_t s = 0;
  for (; s + kSets <= steps; s += kSets, w += kSets * kStepBytes, x += kSets * kStepValues) {
    if constexpr (!kFar) {
      ask_for_later(ahead);
      ahead += t.ahead_step;
    }
    step(acc, 0);
    unroll<kSets - 1>([&](auto set) PARING_INLINE { step(others[set + 1], set + 1); });
  }
  for (; s < steps; ++s, w += kStepBytes, x += kStepValues) step(acc, 0);
  unroll<kSets - 1>([&](auto set) PARING_INLINE {
    each_sum<kRows, kVectors>([&](auto r, auto v)
                                  PARING_INLINE { acc[r][v] = I32::add(acc[r][v], others[set + 1][r][v]); });
  });
}

// `scales` are those of the group.
template <int kRows, int kVectors, bool kOneZeroPoint>
PARING_INLINE inline void start(const paring::IntegerTask& t, std::size_t group, const void* scales,
                                Sums<kRows, kVectors>& acc) {
  unroll<kVectors>([&](auto v) PARING_INLINE {
    const I32::Vec zero_point = zero_point_at<kOneZeroPoint>(*t.layout, scales, v);
    unroll<kRows>([&](auto r) PARING_INLINE {
      const I32::Vec from = I32::set(t.row_starts[group * kRows + r]);
      acc[r][v] = kOneZeroPoint ? from : I32::mul(zero_point, from);
    });
  });
}

}  // namespace
