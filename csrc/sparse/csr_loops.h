// The loops over one row that turn a dense matrix into CSR. Each instruction set gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cpu/features.h"

namespace paring {

struct CsrLoops {
  const char* name;
  FeatureSet needs;

  // Values that are not zero of either sign; NaN counts.
  std::size_t (*count_f32)(const float* row, std::size_t n);
  std::size_t (*count_s8)(const std::int8_t* row, std::size_t n);

  // Writes the `count` values that count_* counted and their columns, and nothing beyond, whatever `row` holds by now:
  // rows have neighbours. n <= 2**31 - 1.
  void (*gather_f32)(const float* row, std::size_t n, std::size_t count, float* data, std::int32_t* indices);
  void (*gather_s8)(const std::int8_t* row, std::size_t n, std::size_t count, std::int8_t* data, std::int32_t* indices);
};

// Best first; the last needs nothing.
std::span<const CsrLoops> csr_loops();

extern const CsrLoops kCsrLoopsScalar, kCsrLoopsAvx2, kCsrLoopsAvx512;

}  // namespace paring
