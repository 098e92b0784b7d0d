#include "sparse/csr_loops.inl"

namespace paring {
constexpr CsrLoops kCsrLoopsScalar = {
    "csr_scalar", FeatureSet(), &count_f32, &count_s8, &gather_kept<float>, &gather_kept<std::int8_t>,
};
}  // namespace paring
