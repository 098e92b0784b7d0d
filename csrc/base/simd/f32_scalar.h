// One float in the shape of a vector: the same operations, in the same order, as f32_avx2.h and f32_avx512.h.
// Included by kernel files only; each gets its own copy (unnamed namespace), compiled with its own flags.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {

struct F32 {
  using Vec = float;
  static constexpr std::size_t kWidth = 1;

  static Vec load(const float* p) { return *p; }
  static void store(float* p, Vec v) { *p = v; }
  // Of integral values in -128 ... 127.
  static void store_codes(std::int8_t* p, Vec v) { *p = static_cast<std::int8_t>(v); }
  static Vec set(float v) { return v; }
  static Vec add(Vec a, Vec b) { return a + b; }
  static Vec sub(Vec a, Vec b) { return a - b; }
  static Vec mul(Vec a, Vec b) { return a * b; }
  static Vec div(Vec a, Vec b) { return a / b; }
  static Vec fma(Vec a, Vec b, Vec c) { return __builtin_fmaf(a, b, c); }
  // Both return b if either is NaN, as the x86 instructions do.
  static Vec max(Vec a, Vec b) { return a > b ? a : b; }
  static Vec min(Vec a, Vec b) { return a < b ? a : b; }
  static Vec abs(Vec a) { return __builtin_fabsf(a); }
  // a where x < 0, b elsewhere (also where x is NaN).
  static Vec if_negative(Vec x, Vec a, Vec b) { return x < 0.0f ? a : b; }
  // Half to even for |a| < 2**22, by pushing the fraction out of the significand.
  static Vec round(Vec a) { return (a + 12582912.0f) - 12582912.0f; }
  // 2**a for integral a in -126 ... 127.
  static Vec power_of_two(Vec a) {  // NaN has no integer; what it becomes here is multiplied by NaN again.
    return __builtin_bit_cast(float, (static_cast<std::int32_t>(a == a ? a : 0.0f) + 127) << 23);
  }
};

}  // namespace
