// What happens to a sum before it is stored, the same for every kernel:
//   y = activation(fma(exact_value, exact_weight, fma(sum, row_scale, bias)) + 0)
// The exact term is that of quantized activations (quantize/activation.h); without it the inner one stands alone. The
// fused multiply-adds and the added +0 are part of the contract: one rounding each, and no output is -0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

enum class Activation : std::uint8_t { kNone, kRelu, kGelu, kSilu };

struct EpilogueTask {
  const float* sums;  // row r at sums + r * sums_stride; readable up to cols rounded up to 16
  std::size_t sums_stride;
  std::size_t rows;
  std::size_t cols;
  const float* row_scales;    // (rows,), or null for 1
  const float* bias;          // as long as a readable row of sums
  const float* exact_values;  // (rows,), or null
  // Row r at exact_weights + r * sums_stride, readable as sums; unused without exact_values.
  const float* exact_weights;
  Activation activation;
  float* y;  // row r at y + r * y_stride; exactly cols floats of each are written
  std::size_t y_stride;
};

// y = activation(y + residual) in place, for kernels that do the rest themselves; or, leaving y,
// codes = clamp(round_half_even(activation(y + residual) * inverse_scale) + zero_point, -128, 127), NaN becoming -128.
struct ActivationTask {
  Activation activation;
  const float* residual;  // row r at residual + r * residual_stride, or null for none; not y
  std::size_t residual_stride;
  float* y;  // row r at y + r * y_stride
  std::size_t y_stride;
  std::size_t rows;
  std::size_t cols;
  std::int8_t* codes;  // row r at codes + r * codes_stride, or null
  std::size_t codes_stride;
  float inverse_scale;
  std::int32_t zero_point;
};

struct EpilogueKernel {
  const char* name;
  FeatureSet needs;
  void (*run)(const EpilogueTask&);
  void (*activate)(const ActivationTask&);
};

// Best first; the last needs nothing.
std::span<const EpilogueKernel> epilogue_kernels();

void epilogue_scalar(const EpilogueTask&);
void epilogue_avx2(const EpilogueTask&);
void epilogue_avx512(const EpilogueTask&);
void epilogue_neon(const EpilogueTask&);
void activate_scalar(const ActivationTask&);
void activate_avx2(const ActivationTask&);
void activate_avx512(const ActivationTask&);
void activate_neon(const ActivationTask&);

}  // namespace paring
