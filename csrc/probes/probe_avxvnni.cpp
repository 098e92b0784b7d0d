#include <immintrin.h>

#include "probes/probe_body.inl"

namespace {
struct P {
  static constexpr int kSums = 12;
  using Bytes = __m256i;
  static Bytes load(const std::byte* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
};
inline __m256i dot(__m256i sum, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
inline __m256 fma(__m256 sum, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, sum); }
}  // namespace

namespace paring {
constexpr Probe kProbeAvxVnni = {
    "probe_avxvnni",     Feature::kAvx2 | Feature::kAvxVnni, &add_products<P, __m256i, &dot>,
    P::kSums * 32 * 2.0, &add_products<P, __m256, &fma>,     P::kSums * 8 * 2.0,
    &read_all<P>};
}  // namespace paring
