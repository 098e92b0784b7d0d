#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsAvx512 = {
    "quantize_avx512", Feature::kAvx512, &abs_max_bits, &range_keys, &quantize, &dequantize, &sum,
};
}  // namespace paring
