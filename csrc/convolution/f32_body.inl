// The float32 tile over F32: one fused multiply-add chain an output.
#include "base/simd/unroll.h"
#include "convolution/choice.inl"

namespace {

struct FloatTile {
  template <int kRows, int kVectors>
  [[gnu::noinline]] static void run(const paring::ConvolutionTask& t) {
    F32::Vec sums[kRows][kVectors];
    const auto each = [&](const auto& function) PARING_INLINE {
      unroll<kRows>([&](auto r) PARING_INLINE { unroll<kVectors>([&](auto v) PARING_INLINE { function(r, v); }); });
    };
    each([&](auto r, auto v) PARING_INLINE { sums[r][v] = F32::set(0.0f); });
    const auto* x = static_cast<const float*>(t.filters);
    const std::size_t* offsets = t.offsets;
    const std::byte* grid = t.grid;
    for (std::size_t s = t.steps; s > 0; --s, ++offsets, x += kRows) {
      const auto* words = reinterpret_cast<const float*>(grid + *offsets);
      F32::Vec column[kVectors];
      unroll<kVectors>([&](auto v) PARING_INLINE { column[v] = F32::load(words + v * F32::kWidth); });
      unroll<kRows>([&](auto r) PARING_INLINE {
        const F32::Vec value = F32::set(x[r]);
        unroll<kVectors>([&](auto v) PARING_INLINE { sums[r][v] = F32::fma(value, column[v], sums[r][v]); });
      });
    }
    const F32::Vec zero = F32::set(0.0f);
    each([&](auto r, auto v) PARING_INLINE {
      const F32::Vec y = F32::add(F32::add(sums[r][v], F32::set(t.bias[r])), zero);
      F32::store(t.y + r * t.y_stride + v * F32::kWidth, y);
    });
  }
};

}  // namespace
