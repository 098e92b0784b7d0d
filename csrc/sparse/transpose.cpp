#include "sparse/transpose.h"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace paring {
namespace {

// Columns done together, so that the lines of `out` being filled stay in the first-level cache.
constexpr std::size_t kStripe = 64;

float widened(float value, float*) { return value; }
std::int16_t widened(std::int8_t code, std::int16_t*) { return code; }
std::uint8_t widened(std::int8_t code, std::uint8_t*) { return static_cast<std::uint8_t>(code + 128); }

#if defined(__SSE2__)

// Each round interleaves the first half of the vectors with the second; as many rounds as the index has bits transpose.
void transpose_block(const float* in, std::size_t stride, std::size_t lanes, float* out) {
  __m128 v[4], t[4];
  for (std::size_t i = 0; i < 4; ++i) v[i] = _mm_loadu_ps(in + i * stride);
  for (std::size_t i = 0; i < 2; ++i) {
    t[2 * i] = _mm_unpacklo_ps(v[i], v[i + 2]);
    t[2 * i + 1] = _mm_unpackhi_ps(v[i], v[i + 2]);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    _mm_storeu_ps(out + 2 * i * lanes, _mm_unpacklo_ps(t[i], t[i + 2]));
    _mm_storeu_ps(out + (2 * i + 1) * lanes, _mm_unpackhi_ps(t[i], t[i + 2]));
  }
}

__m128i* vector_at(void* p) { return static_cast<__m128i*>(p); }

void store_widened(__m128i codes, std::int16_t* out) {
  const __m128i sign = _mm_cmpgt_epi8(_mm_setzero_si128(), codes);
  _mm_storeu_si128(vector_at(out), _mm_unpacklo_epi8(codes, sign));
  _mm_storeu_si128(vector_at(out + 8), _mm_unpackhi_epi8(codes, sign));
}

void store_widened(__m128i codes, std::uint8_t* out) {
  _mm_storeu_si128(vector_at(out), _mm_xor_si128(codes, _mm_set1_epi8(-128)));
}

inline void interleave(const __m128i (&v)[16], __m128i (&out)[16]) {
  for (std::size_t i = 0; i < 8; ++i) {
    out[2 * i] = _mm_unpacklo_epi8(v[i], v[i + 8]);
    out[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + 8]);
  }
}

template <typename Out>
void transpose_block(const std::int8_t* in, std::size_t stride, std::size_t lanes, Out* out) {
  __m128i v[16], t[16];
  for (std::size_t i = 0; i < 16; ++i) v[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i * stride));
  interleave(v, t);
  interleave(t, v);
  interleave(v, t);
  interleave(t, v);
  for (std::size_t i = 0; i < 16; ++i) store_widened(v[i], out + i * lanes);
}

#else

template <typename In, typename Out>
void transpose_block(const In* in, std::size_t stride, std::size_t lanes, Out* out) {
  constexpr std::size_t kBlock = 16 / sizeof(In);
  for (std::size_t r = 0; r < kBlock; ++r)
    for (std::size_t k = 0; k < kBlock; ++k) out[k * lanes + r] = widened(in[r * stride + k], out);
}

#endif

template <typename In, typename Out>
void to_lanes(const In* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes, Out* out) {
  constexpr std::size_t kBlock = 16 / sizeof(In);
  for (std::size_t stripe = 0; stripe < columns; stripe += kStripe) {
    const std::size_t end = std::min(columns, stripe + kStripe);
    for (std::size_t r = 0; r < lanes; r += kBlock) {
      std::size_t k = stripe;
      if (r + kBlock <= rows)
        for (; k + kBlock <= end; k += kBlock) transpose_block(in + r * stride + k, stride, lanes, out + k * lanes + r);
      for (; k < end; ++k)
        for (std::size_t i = r; i < r + kBlock; ++i)
          out[k * lanes + i] = widened(i < rows ? in[i * stride + k] : In{}, out);
    }
  }
}

}  // namespace

void rows_to_lanes(const float* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   float* out) {
  to_lanes(in, stride, rows, columns, lanes, out);
}

void rows_to_lanes(const std::int8_t* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   std::int16_t* out) {
  to_lanes(in, stride, rows, columns, lanes, out);
}

void rows_to_lanes(const std::int8_t* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   std::uint8_t* out) {
  to_lanes(in, stride, rows, columns, lanes, out);
}

}  // namespace paring
