// The epilogue loop over F32; each instruction set includes it after its own base/simd header.
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

template <paring::Activation kActivation>
void activate_rows(const paring::ActivationTask& task) {
  for (std::size_t r = 0; r < task.rows; ++r) {
    float* y = task.y + r * task.y_stride;
    std::size_t c = 0;
    for (; c + F32::kWidth <= task.cols; c += F32::kWidth) F32::store(y + c, activate<kActivation>(F32::load(y + c)));
    if (c < task.cols) {
      float last[F32::kWidth] = {};
      for (std::size_t i = 0; c + i < task.cols; ++i) last[i] = y[c + i];
      F32::store(last, activate<kActivation>(F32::load(last)));
      for (std::size_t i = 0; c + i < task.cols; ++i) y[c + i] = last[i];
    }
  }
}

void activate(const paring::ActivationTask& task) {
  switch (task.activation) {
    case paring::Activation::kNone: return;
    case paring::Activation::kRelu: return activate_rows<paring::Activation::kRelu>(task);
    case paring::Activation::kGelu: return activate_rows<paring::Activation::kGelu>(task);
    case paring::Activation::kSilu: return activate_rows<paring::Activation::kSilu>(task);
  }
}

}  // namespace
