// The integer tile, over steps that gemm/integer_sums.inl describes: the filters take the part of x, the grid that of
// w.
#include "convolution/choice.inl"
#include "gemm/integer_sums.inl"

namespace {

template <typename W>
struct IntegerTile {
  template <int kRows, int kVectors>
  [[gnu::noinline]] static void run(const paring::ConvolutionTask& t) {
    constexpr std::size_t kStepValues = static_cast<std::size_t>(kRows) * W::kStepValues;
    Sums<kRows, kVectors> acc;
    each_sum<kRows, kVectors>([&](auto r, auto v) PARING_INLINE { acc[r][v] = I32::set(t.starts[r]); });
    const auto* x = static_cast<const typename W::X*>(t.filters);
    const std::size_t* offsets = t.offsets;
    const std::byte* grid = t.grid;
    for (std::size_t s = t.steps; s > 0; --s, ++offsets, x += kStepValues)
      W::template add_step<kRows, kVectors>(reinterpret_cast<const std::uint8_t*>(grid + *offsets), kPanel * 4, x, acc);
    const F32::Vec zero = F32::set(0.0f), image_scale = F32::set(t.image_scale);
    unroll<kRows>([&](auto r) PARING_INLINE {
      const F32::Vec scale = F32::set(t.scales[r]), bias = F32::set(t.bias[r]);
      unroll<kVectors>([&](auto v) PARING_INLINE {
        const F32::Vec sum = F32::mul(I32::to_float(acc[r][v]), scale);
        F32::store(t.y + r * t.y_stride + v * kWidth, F32::add(F32::fma(sum, image_scale, bias), zero));
      });
    });
  }
};

}  // namespace
