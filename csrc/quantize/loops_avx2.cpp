#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsAvx2 = {
    "quantize_avx2", Feature::kAvx2,    &abs_max_bits, &find_magnitude, &range_keys, &quantize,
    &dequantize,     &dequantize_words, &sum,
};
}  // namespace paring
