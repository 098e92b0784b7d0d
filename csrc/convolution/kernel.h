// Convolution as products of filters with windows that lie in a grid: what a micro-kernel is, and the table of them.
//
// Images are laid out as planes of 32-bit words (convolution/grid.h), so that the words which one step of a filter
// meets at neighbouring output positions are neighbours: step s of position p is the word at grid + offsets[s] + 4 * p.
// No window is ever written out. A tile is up to `mr` filters times `positions` output positions:
//   s8   a word is four unsigned bytes, code + 128, of what four int8 values of a filter meet. With the exact sum
//          acc = start + sum filter * byte (int32; start takes off what 128 and the zero point of the image add),
//        y = fma(float(acc) * scale, image_scale, bias) + 0, scale and bias being those of the filter.
//        |acc| <= 255 * 127 * kMostDepth, which is below 2**31, in any order of the steps.
//   f32  a word is a float: y = (one chain of fused multiply-adds in ascending steps, from 0, + bias) + 0.
// Every row of the table gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

inline constexpr std::size_t kMostDepth = 65536;  // numbers of a filter whose products integers can sum
inline constexpr std::size_t kMostFilterRows = 12;
inline constexpr std::size_t kMostPositions = 128;

struct ConvolutionTask {
  const std::byte* grid;  // the word of offset 0 at the first position
  const std::size_t* offsets;
  std::size_t steps;
  const void* filters;         // [step][rows] of 4 int8, of 4 int16 in the order 0, 2, 1, 3, or of a float
  std::size_t rows;            // 1 ... mr
  const std::int32_t* starts;  // (rows,), as the three below; the integer kind only
  const float* scales;
  float image_scale;
  const float* bias;
  float* y;  // row r at y + r * y_stride; `positions` floats of each are written
  std::size_t y_stride;
  std::size_t
      positions;  // those of the kernel or its few_positions; for few filters also twice those or single_positions
};

enum class ConvolutionKind : std::uint8_t { kS8, kF32 };
enum class FilterLayout : std::uint8_t { kQuads, kPairs, kFloats };

struct ConvolutionKernel {
  const char* name;
  FeatureSet needs;
  ConvolutionKind kind;
  FilterLayout filters;
  std::uint8_t mr;
  std::uint8_t positions;
  std::uint8_t few_positions;     // at most positions
  std::uint8_t wide_rows;         // tiles of up to so many filters may take twice the positions
  std::uint8_t single_positions;  // a multiple of positions
  void (*run)(const ConvolutionTask&);
};

// All compiled rows, best first within each kind.
std::span<const ConvolutionKernel> convolution_kernels();

// The best row of a kind on a CPU with these features. Pure.
const ConvolutionKernel& choose_convolution_kernel(ConvolutionKind kind, FeatureSet have);

void convolution_s8_scalar(const ConvolutionTask&);
void convolution_f32_scalar(const ConvolutionTask&);
void convolution_s8_avx2(const ConvolutionTask&);
void convolution_f32_avx2(const ConvolutionTask&);
void convolution_s8_avxvnni(const ConvolutionTask&);
void convolution_f32_avx512(const ConvolutionTask&);
void convolution_s8_avx512vnni(const ConvolutionTask&);

}  // namespace paring
