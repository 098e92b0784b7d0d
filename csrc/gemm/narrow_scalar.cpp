// What narrow weights are as float32, in plain loops; the other files must agree with it to the byte.
#include "gemm/kernel.h"

namespace {

constexpr std::size_t kPanel = 16;

// A float16 widened. What is below its normal range is an integer times 2^-24, and normal in float32.
float widen_f16(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16, exponent = half >> 10 & 31u;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {
    const float small = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -small : small;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return __builtin_bit_cast(float, sign | wide << 23 | fraction << 13);
}

float widen_bf16(std::uint16_t half) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(half) << 16); }

template <typename Widen>
void expand_halves(const paring::ExpandTask& t, const Widen& widen) {
  const auto* halves = reinterpret_cast<const std::uint16_t*>(t.panel) + t.from * kPanel;
  for (std::size_t i = 0; i < t.count * kPanel; ++i) t.out[i] = widen(halves[i]);
}

template <int kBits>
void expand_codes(const paring::ExpandTask& t) {
  constexpr std::size_t kStep = 32 / kBits, kStepBytes = kPanel * 4;
  const paring::PanelLayout& layout = *t.layout;
  float* out = t.out;
  for (std::size_t k = t.from; k < t.from + t.count; ++k, out += kPanel) {
    const std::size_t g = k / layout.group_columns, within = k % layout.group_columns, i = within % kStep;
    const std::byte* group = t.panel + g * (layout.group_steps * kStepBytes + layout.parameter_bytes);
    const std::size_t steps = g + 1 < layout.groups ? layout.group_steps : layout.last_group_steps;
    const auto* words = reinterpret_cast<const std::uint32_t*>(group + within / kStep * kStepBytes);
    const auto* scales = reinterpret_cast<const float*>(group + steps * kStepBytes);
    const auto* zero_points = reinterpret_cast<const std::int32_t*>(scales + kPanel);
    const std::size_t shift = kBits == 4 ? i % 4 * 8 + i / 4 * 4 : i * 8;
    for (std::size_t c = 0; c < kPanel; ++c) {
      const auto code = static_cast<std::int32_t>(words[c] >> shift & ((1u << kBits) - 1));
      const std::int32_t zero_point = layout.one_zero_point ? layout.zero_point : zero_points[c];
      out[c] = static_cast<float>(code - zero_point) * scales[c];
    }
  }
}

}  // namespace

namespace paring {
void expand_u8_scalar(const ExpandTask& task) { expand_codes<8>(task); }
void expand_u4_scalar(const ExpandTask& task) { expand_codes<4>(task); }
void expand_f16_scalar(const ExpandTask& task) { expand_halves(task, widen_f16); }
void expand_bf16_scalar(const ExpandTask& task) { expand_halves(task, widen_bf16); }
}  // namespace paring
