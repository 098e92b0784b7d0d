#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsScalar = {
    "quantize_scalar", FeatureSet(), &abs_max_bits, &range_keys, &quantize, &dequantize, &sum,
};
}  // namespace paring
