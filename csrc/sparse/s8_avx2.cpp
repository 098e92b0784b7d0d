// Two non-zeros at a time: their rows of x are interleaved so that VPMADDWD multiplies and adds both.
#include <immintrin.h>

#include "sparse/kernel.h"
#include "sparse/s8_single.inl"

namespace {

constexpr std::size_t kWidth = 16;  // lanes of a vector of x

inline __m256i load(const std::int16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

// The unpacks leave lanes 0-3, 8-11 in `low` and 4-7, 12-15 in `high`.
inline void store_sums(float* sums, __m256i low, __m256i high, float scale) {
  const __m256 scales = _mm256_set1_ps(scale), zero = _mm256_setzero_ps();
  const __m256 a = _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), scales, zero);
  const __m256 b = _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), scales, zero);
  _mm256_storeu_ps(sums, _mm256_permute2f128_ps(a, b, 0x20));
  _mm256_storeu_ps(sums + 8, _mm256_permute2f128_ps(a, b, 0x31));
}

template <int kVectors>
void s8_panel(const paring::SparseTask& task) {
  constexpr std::size_t kLanes = kVectors * kWidth;
  const auto* x = static_cast<const std::int16_t*>(task.x);
  const auto* codes = static_cast<const std::int16_t*>(task.values);
  const auto* columns = static_cast<const std::uint16_t*>(task.columns);
  for (std::size_t r = 0; r < task.rows; ++r) {
    __m256i low[kVectors] = {}, high[kVectors] = {};
    for (std::size_t e = task.starts[r]; e < task.starts[r + 1]; e += 2) {
      std::int32_t pair;
      __builtin_memcpy(&pair, codes + e, sizeof pair);
      const __m256i weights = _mm256_set1_epi32(pair);
      const std::int16_t *first = x + columns[e] * kLanes, *second = x + columns[e + 1] * kLanes;
      for (int v = 0; v < kVectors; ++v) {
        const __m256i a = load(first + v * kWidth), b = load(second + v * kWidth);
        low[v] = _mm256_add_epi32(low[v], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights));
        high[v] = _mm256_add_epi32(high[v], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights));
      }
    }
    for (int v = 0; v < kVectors; ++v) store_sums(task.sums + r * kLanes + v * kWidth, low[v], high[v], task.scales[r]);
  }
}

}  // namespace

namespace paring {
void spmm_s8_avx2(const SparseTask& task) {
  if (task.lanes == 1) return s8_single_row<std::int16_t, std::int16_t>(task);
  task.lanes == kWidth ? s8_panel<1>(task) : s8_panel<2>(task);
}
}  // namespace paring
