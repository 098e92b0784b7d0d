#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsAvx512 = {
    "quantize_avx512", Feature::kAvx512,  &abs_max_bits, &find_magnitude, &range_keys, &quantize,
    &dequantize,       &dequantize_words, &sum,
};
}  // namespace paring
