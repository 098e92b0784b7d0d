// Panels of weights under float32 activations, over F32 (base/simd): a few rows of x times panels as they are, and
// panels expanded to float32. A kind of weights W is made from a PanelLayout and gives
//
//   W::kStep, W::kStepBytes   columns of the weight in a step, and its bytes
//   W::Words, load(w)         what a vector of columns of a step is loaded as
//   W::Group, group(p)        what a group has for a vector of columns, from its parameters there
//   kVectorBytes              from a vector of columns to the next in a step
//   value<i>(words, group)    column i of the step as float32
//   value(words, i, group)    the same for an i that is known late
//
// A group may end inside a step. Nothing is made of the codes that pad it: times its scale they may be infinite, and
// infinity times the zero that pads x is no zero.
#include "base/simd/unroll.h"
#include "gemm/kernel.h"

namespace {

constexpr std::size_t kLine = 64, kWidth = F32::kWidth, kPanel = 2 * kWidth;
constexpr std::size_t kRegisters = kWidth == 8 ? 16 : 32;
// How far ahead of use panels are asked for that come from memory.
constexpr std::size_t kFarBytes = 4096;

// The groups of a panel, one after the other.
struct GroupPlace {
  std::size_t columns, steps;
};
PARING_INLINE inline GroupPlace group_place(const paring::PanelLayout& layout, std::size_t g) {
  if (g + 1 < layout.groups) return {layout.group_columns, layout.group_steps};
  return {layout.last_group_columns, layout.last_group_steps};
}

template <typename W, int kRows, int kPanels>
[[gnu::noinline]] void few_rows(const paring::FewTask& t) {
  constexpr int kVectors = 2 * kPanels;
  const paring::PanelLayout& layout = *t.layout;
  const W weights(layout);
  const std::byte* w = t.panel;
  const float* x = t.activations;
  F32::Vec sums[kRows][kVectors];
  const auto each = [&](const auto& function) PARING_INLINE {
    unroll<kRows>([&](auto r) PARING_INLINE { unroll<kVectors>([&](auto v) PARING_INLINE { function(r, v); }); });
  };
  // Vector v of what lies at `from` in the first panel.
  const auto at = [&](const std::byte* from, int v, std::size_t vector_bytes) PARING_INLINE {
    return from + static_cast<std::size_t>(v / 2) * layout.bytes + static_cast<std::size_t>(v % 2) * vector_bytes;
  };
  each([&](auto r, auto v) PARING_INLINE { sums[r][v] = F32::set(0.0f); });
  for (std::size_t g = 0; g < layout.groups; ++g) {
    const GroupPlace place = group_place(layout, g);
    const std::byte* parameters = w + place.steps * W::kStepBytes;
    typename W::Group groups[kVectors];
    unroll<kVectors>([&](auto v)
                         PARING_INLINE { groups[v] = weights.group(at(parameters, v, kWidth * sizeof(float))); });
    typename W::Words words[kVectors];
    const auto load = [&] PARING_INLINE {
      unroll<kVectors>([&](auto v) PARING_INLINE { words[v] = weights.load(at(w, v, W::kVectorBytes)); });
    };
    // Of rows and columns the fewer wait in registers.
    const auto add = [&](const auto& value) PARING_INLINE {
      F32::Vec kept[kRows < kVectors ? kRows : kVectors];
      if constexpr (kRows < kVectors) {
        unroll<kRows>([&](auto r) PARING_INLINE { kept[r] = F32::set(x[r]); });
        unroll<kVectors>([&](auto v) PARING_INLINE {
          const F32::Vec column = value(v);
          unroll<kRows>([&](auto r) PARING_INLINE { sums[r][v] = F32::fma(kept[r], column, sums[r][v]); });
        });
      } else {
        unroll<kVectors>([&](auto v) PARING_INLINE { kept[v] = value(v); });
        unroll<kRows>([&](auto r) PARING_INLINE {
          const F32::Vec row = F32::set(x[r]);
          unroll<kVectors>([&](auto v) PARING_INLINE { sums[r][v] = F32::fma(row, kept[v], sums[r][v]); });
        });
      }
      x += kRows;
    };
    for (std::size_t s = place.columns / W::kStep; s > 0; --s, w += W::kStepBytes) {
      unroll<kPanels>([&](auto p) PARING_INLINE {
        for (std::size_t line = 0; line < W::kStepBytes; line += kLine)
          __builtin_prefetch(w + p * layout.bytes + kFarBytes + line, 0, 3);
      });
      load();
      unroll<W::kStep>([&](auto i) PARING_INLINE {
        add([&](int v) PARING_INLINE { return weights.template value<i>(words[v], groups[v]); });
      });
    }
    if (const int rest = static_cast<int>(place.columns % W::kStep); rest > 0) {
      load();
      for (int i = 0; i < rest; ++i) add([&](int v) PARING_INLINE { return weights.value(words[v], i, groups[v]); });
    }
    w = parameters + layout.parameter_bytes;
  }
  each([&](auto r, auto v) PARING_INLINE { F32::store(t.sums + r * t.sums_stride + v * kWidth, sums[r][v]); });
}

template <typename W, int kRows>
void few_of_rows(const paring::FewTask& task) {
  constexpr std::size_t kAtOnce = paring::few_panels(kRows);
  // Sums, a value of each row and a column must stay in registers.
  constexpr bool kFit = kRows * 2 * kAtOnce + kRows + 2 <= kRegisters;
  if constexpr (kFit) {
    if (task.panels == kAtOnce) return few_rows<W, kRows, kAtOnce>(task);
  }
  paring::FewTask one = task;
  one.panels = 1;
  for (std::size_t p = 0; p < task.panels; ++p, one.panel += task.layout->bytes, one.sums += kPanel)
    few_rows<W, kRows, 1>(one);
}

// One instance a row count, so that the sums stay in registers.
template <typename W, int kMaxRows>
void few(const paring::FewTask& task) {
  if constexpr (kMaxRows > 1) {
    if (task.rows < kMaxRows) return few<W, kMaxRows - 1>(task);
  }
  few_of_rows<W, kMaxRows>(task);
}

template <typename W>
void expand(const paring::ExpandTask& t) {
  const paring::PanelLayout& layout = *t.layout;
  const W weights(layout);
  float* out = t.out;
  for (std::size_t k = t.from, end = t.from + t.count; k < end;) {
    const std::size_t g = k / layout.group_columns, start = g * layout.group_columns;
    const GroupPlace place = group_place(layout, g);
    const std::byte* w = t.panel + g * (layout.group_steps * W::kStepBytes + layout.parameter_bytes);
    const std::byte* parameters = w + place.steps * W::kStepBytes;
    const typename W::Group groups[2] = {weights.group(parameters), weights.group(parameters + kWidth * sizeof(float))};
    const std::size_t stop = start + place.columns < end ? start + place.columns : end;
    const auto store = [&](const auto& value) PARING_INLINE {
      unroll<2>([&](auto v) PARING_INLINE { F32::store(out + v * kWidth, value(v)); });
      out += kPanel;
      ++k;
    };
    while (k < stop) {
      const std::byte* step = w + (k - start) / W::kStep * W::kStepBytes;
      const typename W::Words words[2] = {weights.load(step), weights.load(step + W::kVectorBytes)};
      const int within = static_cast<int>((k - start) % W::kStep);
      if (within == 0 && stop - k >= W::kStep) {
        unroll<W::kStep>([&](auto i) PARING_INLINE {
          store([&](int v) PARING_INLINE { return weights.template value<i>(words[v], groups[v]); });
        });
      } else {
        store([&](int v) PARING_INLINE { return weights.value(words[v], within, groups[v]); });
      }
    }
  }
}

}  // namespace
