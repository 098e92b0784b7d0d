// The integer micro-kernel: the sums of integer_sums.inl, their epilogue, and the choice of an instance.
#include "gemm/integer_sums.inl"

namespace {

// The number that the bits of a code stand for.
template <typename W>
PARING_INLINE inline I32::Vec code_of(I32::Vec bits) {
  if constexpr (!W::kSigned) return bits;
  const I32::Vec half = I32::set(128);
  return I32::sub(I32::bit_and(I32::add(bits, half), I32::set(W::kMask)), half);
}

// Stores the tile. `before` are the sums of the groups but the last, row r at before + r * kVectors * kWidth; null if
// there is one group.
template <typename W, int kRows, int kVectors, bool kOneZeroPoint, bool kGrouped>
PARING_INLINE inline void finish(const paring::IntegerTask& t, const void* scales, const Sums<kRows, kVectors>& acc,
                                 const float* before) {
  const std::size_t next = t.layout->bytes;
  const I32::Vec mask = I32::set(W::kMask);
  const F32::Vec zero = F32::set(0.0f);
  const float *row_scales = t.row_scales, *exact_values = t.exact_values;
  const paring::ColumnPlace* places = t.exact_places;
  // Where not all columns are there, the tile is stored here first.
  constexpr std::size_t kColumns = kVectors * kWidth;
  alignas(kLine) float all[kRows * kColumns];
  const bool whole = t.columns >= kColumns;
  float* const out = whole ? t.y : all;
  const std::size_t stride = whole ? t.y_stride : kColumns;
  F32::Vec scale[kVectors], bias[kVectors];
  I32::Vec zero_point[kVectors];
  unroll<kVectors>([&](auto v) PARING_INLINE {
    scale[v] = floats_at(scales, next, v);
    bias[v] = floats_at(t.panel + t.layout->bias_offset, next, v);
    zero_point[v] = zero_point_at<kOneZeroPoint>(*t.layout, scales, v);
  });
  unroll<kRows>([&](auto r) PARING_INLINE {
    const F32::Vec row_scale = F32::set(row_scales[r]), exact_value = F32::set(exact_values[r]);
    const paring::ColumnPlace place = places[r];
    unroll<kVectors>([&](auto v) PARING_INLINE {
      F32::Vec sum = I32::to_float(acc[r][v]);
      sum = kGrouped ? F32::fma(sum, scale[v], F32::load(before + r * kColumns + v * kWidth)) : F32::mul(sum, scale[v]);
      const I32::Vec words = I32::load(vector_at(t.panel + place.codes, next, v));
      const I32::Vec code = code_of<W>(I32::bit_and(I32::shift_right(words, place.shift), mask));
      const std::byte* own = t.panel + place.scales;
      const F32::Vec exact_weight =
          kGrouped ? F32::mul(I32::to_float(I32::sub(code, zero_point_at<kOneZeroPoint>(*t.layout, own, v))),
                              floats_at(own, next, v))
                   : F32::mul(I32::to_float(I32::sub(code, zero_point[v])), scale[v]);
      const F32::Vec y = F32::fma(exact_value, exact_weight, F32::fma(sum, row_scale, bias[v]));
      F32::store(out + r * stride + v * kWidth, F32::add(y, zero));
    });
  });
  for (int r = 0; !whole && r < kRows; ++r)
    for (std::size_t c = 0; c < t.columns; ++c) t.y[r * t.y_stride + c] = all[r * kColumns + c];
}

template <typename W, int kRows, int kPanels, bool kOneZeroPoint, bool kFar>
[[gnu::noinline]] void tile(const paring::IntegerTask& t) {
  constexpr int kVectors = kPanelVectors * kPanels;
  alignas(kLine) float sums[kRows * kVectors * kWidth];
  // Sums of groups stay in registers where there is room beside those of one group.
  constexpr bool kKept = 2 * kRows * kVectors + 4 <= W::kRegisters;
  F32::Vec kept[kRows][kVectors];
  if constexpr (kKept) each_sum<kRows, kVectors>([&](auto r, auto v) PARING_INLINE { kept[r][v] = F32::set(0.0f); });
  const auto* w = reinterpret_cast<const std::uint8_t*>(t.panel);
  const auto* x = static_cast<const typename W::X*>(t.activations);
  const std::byte* ahead = t.ahead != nullptr ? t.ahead : t.panel;
  if constexpr (kRows > 4)  // the lines of y are somewhere else: they come while the tile is computed
    unroll<kRows>([&](auto r) PARING_INLINE {
      ask_for(reinterpret_cast<const std::byte*>(t.y + r * t.y_stride));
      ask_for(reinterpret_cast<const std::byte*>(t.y + r * t.y_stride) + kLine);
    });
  const paring::PanelLayout& layout = *t.layout;
  for (std::size_t g = 0; g + 1 < layout.groups; ++g) {
    Sums<kRows, kVectors> acc;
    start<kRows, kVectors, kOneZeroPoint>(t, g, w + layout.group_steps * kStepBytes, acc);
    add_steps<W, kRows, kPanels, kFar>(t, layout.group_steps, w, x, ahead, acc);
    unroll<kVectors>([&](auto v) PARING_INLINE {
      if constexpr (kFar) ask_for(vector_at(w, layout.bytes, v) + kFarBytes);
      const F32::Vec scale = floats_at(w, layout.bytes, v);
      unroll<kRows>([&](auto r) PARING_INLINE {
        if constexpr (kKept) {
          kept[r][v] = F32::fma(I32::to_float(acc[r][v]), scale, kept[r][v]);
        } else {
          float* sum = sums + (r * kVectors + v) * kWidth;
          const F32::Vec before = g == 0 ? F32::set(0.0f) : F32::load(sum);
          F32::store(sum, F32::fma(I32::to_float(acc[r][v]), scale, before));
        }
      });
    });
    w += layout.parameter_bytes;
  }
  Sums<kRows, kVectors> acc;
  start<kRows, kVectors, kOneZeroPoint>(t, layout.groups - 1, w + layout.last_group_steps * kStepBytes, acc);
  add_steps<W, kRows, kPanels, kFar>(t, layout.last_group_steps, w, x, ahead, acc);
  if (layout.groups > 1) {
    if constexpr (kKept)
      each_sum<kRows, kVectors>([&](auto r, auto v)
                                    PARING_INLINE { F32::store(sums + (r * kVectors + v) * kWidth, kept[r][v]); });
    finish<W, kRows, kVectors, kOneZeroPoint, true>(t, w, acc, sums);
  } else {
    finish<W, kRows, kVectors, kOneZeroPoint, false>(t, w, acc, nullptr);
  }
}

using Tile = void (*)(const paring::IntegerTask&);

template <std::size_t kCount>
struct Tiles {
  Tile of_rows[kCount];  // of 1 row, of 2, ...
};

template <typename W, int kPanels, bool kOneZeroPoint, bool kFar, int... kRows>
constexpr Tiles<sizeof...(kRows)> tiles_of(std::integer_sequence<int, kRows...>) {
  return {{&tile<W, kRows + 1, kPanels, kOneZeroPoint, kFar>...}};
}

// The tile of so many rows. Asymmetric weights take panels one by one.
template <typename W, int kMaxRows, int kPairRows>
void any_rows(const paring::IntegerTask& task) {
  constexpr std::make_integer_sequence<int, kMaxRows> kAll;
  constexpr std::make_integer_sequence<int, kPairRows> kFew;
  static constexpr auto kSymmetric = tiles_of<W, 1, true, false>(kAll),
                        kAsymmetric = tiles_of<W, 1, false, false>(kAll);
  static constexpr auto kPair = tiles_of<W, 2, true, false>(kFew), kFarPair = tiles_of<W, 2, true, true>(kFew);
  const std::size_t index = task.rows - 1;
  const bool symmetric = task.layout->one_zero_point;
  if (task.panels == 1) {
    // A single row reads on and on through all panels.
    if (task.rows == 1) return symmetric ? tile<W, 1, 1, true, true>(task) : tile<W, 1, 1, false, true>(task);
    return (symmetric ? kSymmetric : kAsymmetric).of_rows[index](task);
  }
  if (symmetric) return (task.far ? kFarPair : kPair).of_rows[index](task);
  paring::IntegerTask one = task;
  one.panels = 1;
  one.columns = task.columns < kPanel ? task.columns : kPanel;
  kAsymmetric.of_rows[index](one);
  if (task.columns <= kPanel) return;
  one.panel += task.layout->bytes;
  one.y += kPanel;
  one.columns = task.columns - kPanel;
  kAsymmetric.of_rows[index](one);
}

}  // namespace
