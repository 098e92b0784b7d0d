#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsScalar = {
    "quantize_scalar", FeatureSet(),      &abs_max_bits, &find_magnitude, &range_keys, &quantize,
    &dequantize,       &dequantize_words, &sum,
};
}  // namespace paring
