// The loops of a probe over P: its vectors, how many independent sums hide an instruction's latency, and the two
// instructions. An empty asm statement says that a value may have changed, so that nothing is computed only once.
#include "base/simd/unroll.h"
#include "probes/probes.h"

namespace {

template <typename Vec>
PARING_INLINE inline void may_change(Vec& value) {
#if defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+v"(value));
#endif
}

template <typename P, typename Vec, Vec (*kAdd)(Vec, Vec, Vec)>
void add_products(std::size_t rounds) {
  Vec sums[P::kSums] = {}, a = {}, b = {};
  may_change(a);
  for (std::size_t round = 0; round < rounds; ++round) {
    unroll<P::kSums>([&](auto i) PARING_INLINE {
      may_change(b);
      sums[i] = kAdd(sums[i], a, b);
    });
  }
  unroll<P::kSums>([&](auto i) PARING_INLINE { may_change(sums[i]); });
}

template <typename P>
void read_all(const std::byte* data, std::size_t bytes) {
  constexpr int kLoads = 8;
  constexpr std::size_t kWidth = sizeof(typename P::Bytes);
  for (std::size_t i = 0; i < bytes; i += kLoads * kWidth) {
    unroll<kLoads>([&](auto j) PARING_INLINE {
      typename P::Bytes value = P::load(data + i + j * kWidth);
      may_change(value);
    });
  }
}

}  // namespace
