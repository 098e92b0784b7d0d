#include "quantize/loops.inl"

namespace paring {
constexpr QuantizeLoops kQuantizeLoopsAvx2 = {
    "quantize_avx2", Feature::kAvx2, &abs_max_bits, &range_keys, &quantize, &dequantize, &sum,
};
}  // namespace paring
