// The epilogue loop over F32; each instruction set includes it after its own base/simd header.
#include "base/simd/unroll.h"
#include "nn/elementary.inl"
#include "nn/epilogue.h"

namespace {

template <paring::Activation kActivation>
inline F32::Vec activate(F32::Vec v) {
  if constexpr (kActivation == paring::Activation::kRelu) return relu(v);
  if constexpr (kActivation == paring::Activation::kGelu) return gelu(v);
  if constexpr (kActivation == paring::Activation::kSilu) return silu(v);
  return v;
}

template <paring::Activation kActivation, bool kExact>
void finish_rows(const paring::EpilogueTask& task) {
  const F32::Vec zero = F32::set(0.0f);
  for (std::size_t r = 0; r < task.rows; ++r) {
    const float* sums = task.sums + r * task.sums_stride;
    float* y = task.y + r * task.y_stride;
    const F32::Vec scale = F32::set(task.row_scales ? task.row_scales[r] : 1.0f);
    const float* exact_weights = kExact ? task.exact_weights + r * task.sums_stride : nullptr;
    const F32::Vec exact_value = F32::set(kExact ? task.exact_values[r] : 0.0f);
    const auto value = [&](std::size_t c) {
      F32::Vec sum = F32::fma(F32::load(sums + c), scale, F32::load(task.bias + c));
      if constexpr (kExact) sum = F32::fma(exact_value, F32::load(exact_weights + c), sum);
      return activate<kActivation>(F32::add(sum, zero));
    };
    std::size_t c = 0;
    for (; c + F32::kWidth <= task.cols; c += F32::kWidth) F32::store(y + c, value(c));
    if (c < task.cols) {
      float last[F32::kWidth];
      F32::store(last, value(c));
      for (std::size_t i = 0; c + i < task.cols; ++i) y[c + i] = last[i];
    }
  }
}

template <paring::Activation kActivation>
void finish_kind(const paring::EpilogueTask& task) {
  task.exact_values ? finish_rows<kActivation, true>(task) : finish_rows<kActivation, false>(task);
}

void finish(const paring::EpilogueTask& task) {
  switch (task.activation) {
    case paring::Activation::kNone: return finish_kind<paring::Activation::kNone>(task);
    case paring::Activation::kRelu: return finish_kind<paring::Activation::kRelu>(task);
    case paring::Activation::kGelu: return finish_kind<paring::Activation::kGelu>(task);
    case paring::Activation::kSilu: return finish_kind<paring::Activation::kSilu>(task);
  }
}

// Rounds to codes; 1.5 * 2**23 is added and taken off again (F32::round) once values are within the codes.
struct CodeRounding {
  F32::Vec inverse, low, high, zero_point;

  explicit CodeRounding(const paring::ActivationTask& task)
      : inverse(F32::set(task.inverse_scale)),
        low(F32::set(static_cast<float>(-128 - task.zero_point))),
        high(F32::set(static_cast<float>(127 - task.zero_point))),
        zero_point(F32::set(static_cast<float>(task.zero_point))) {}
  PARING_INLINE F32::Vec operator()(F32::Vec v) const {
    v = F32::min(F32::max(F32::mul(v, inverse), low), high);  // low for NaN
    return F32::add(F32::round(v), zero_point);
  }
};

template <paring::Activation kActivation, bool kResidual, bool kCodes>
void activate_rows(const paring::ActivationTask& task) {
  const CodeRounding round(task);
  const auto value = [](const float* y, const float* residual) {
    F32::Vec v = F32::load(y);
    if constexpr (kResidual) v = F32::add(v, F32::load(residual));
    return activate<kActivation>(v);
  };
  for (std::size_t r = 0; r < task.rows; ++r) {
    float* y = task.y + r * task.y_stride;
    const float* residual = kResidual ? task.residual + r * task.residual_stride : y;
    std::int8_t* codes = kCodes ? task.codes + r * task.codes_stride : nullptr;
    std::size_t c = 0;
    for (; c + F32::kWidth <= task.cols; c += F32::kWidth) {
      const F32::Vec v = value(y + c, residual + c);
      if constexpr (kCodes) {
        F32::store_codes(codes + c, round(v));
      } else {
        F32::store(y + c, v);
      }
    }
    if (c == task.cols) continue;
    float last[F32::kWidth] = {}, added[F32::kWidth] = {};
    std::int8_t last_codes[F32::kWidth];
    for (std::size_t i = 0; c + i < task.cols; ++i) last[i] = y[c + i];
    for (std::size_t i = 0; kResidual && c + i < task.cols; ++i) added[i] = residual[c + i];
    const F32::Vec v = value(last, added);
    if constexpr (kCodes) {
      F32::store_codes(last_codes, round(v));
      for (std::size_t i = 0; c + i < task.cols; ++i) codes[c + i] = last_codes[i];
    } else {
      F32::store(last, v);
      for (std::size_t i = 0; c + i < task.cols; ++i) y[c + i] = last[i];
    }
  }
}

template <paring::Activation kActivation>
void activate_kind(const paring::ActivationTask& task) {
  const bool adds = task.residual != nullptr;
  if (task.codes != nullptr)
    return adds ? activate_rows<kActivation, true, true>(task) : activate_rows<kActivation, false, true>(task);
  if (adds) return activate_rows<kActivation, true, false>(task);
  if constexpr (kActivation != paring::Activation::kNone) activate_rows<kActivation, false, false>(task);
}

void activate(const paring::ActivationTask& task) {
  switch (task.activation) {
    case paring::Activation::kNone: return activate_kind<paring::Activation::kNone>(task);
    case paring::Activation::kRelu: return activate_kind<paring::Activation::kRelu>(task);
    case paring::Activation::kGelu: return activate_kind<paring::Activation::kGelu>(task);
    case paring::Activation::kSilu: return activate_kind<paring::Activation::kSilu>(task);
  }
}

}  // namespace
