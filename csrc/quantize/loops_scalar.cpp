#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsScalar = {
    "quantize_scalar", FeatureSet(),    &abs_max_bits, &largest_two, &find_magnitude, &range_keys, &quantize,
    &round_products,   &round_to_codes, &dequantize,   &sum,
};
}  // namespace paring
