#include "sparse/csr_loops.inl"

namespace paring {
constexpr CsrLoops kCsrLoopsAvx2 = {
    "csr_avx2", Feature::kAvx2, &count_f32, &count_s8, &gather_kept<float>, &gather_kept<std::int8_t>,
};
}  // namespace paring
