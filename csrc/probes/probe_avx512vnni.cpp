#include <immintrin.h>

#include "probes/probe_body.inl"

namespace {
struct P {
  static constexpr int kSums = 16;
  using Bytes = __m512i;
  static Bytes load(const std::byte* p) { return _mm512_loadu_si512(p); }
};
inline __m512i dot(__m512i sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, a, b); }
inline __m512 fma(__m512 sum, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, sum); }
}  // namespace

namespace paring {
constexpr Probe kProbeAvx512Vnni = {
    "probe_avx512vnni",  Feature::kAvx512 | Feature::kAvx512Vnni, &add_products<P, __m512i, &dot>,
    P::kSums * 64 * 2.0, &add_products<P, __m512, &fma>,          P::kSums * 16 * 2.0,
    &read_all<P>};
}  // namespace paring
