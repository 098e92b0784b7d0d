// The baseline has no dot product and no fused multiply-add of its own, so it has no rate to compare with.
#include <cstdint>

#include "probes/probes.h"

namespace {
void read_all(const std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
    std::uint64_t value;
    __builtin_memcpy(&value, data + i, sizeof value);
    asm volatile("" : : "r"(value));
  }
}
}  // namespace

namespace paring {
constexpr Probe kProbeScalar = {"probe_scalar", FeatureSet(), nullptr, 0, nullptr, 0, &read_all};
}  // namespace paring
