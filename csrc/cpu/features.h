// What this CPU can do and the operating system has switched on. Features are a set, not a ladder: AVX-VNNI and
// AVX-512 VNNI do not contain each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace paring {

enum class Feature : std::uint32_t {
  kAvx2 = 1u << 0,  // with FMA and F16C, as on every CPU that has AVX2
  kAvxVnni = 1u << 1,
  kAvx512 = 1u << 2,  // F, BW, DQ and VL
  kAvx512Vnni = 1u << 3,
  kNeon = 1u << 4,     // with fused multiply-add, as on every 64-bit ARM
  kNeonDot = 1u << 5,  // SDOT and UDOT (FEAT_DotProd)
};

class FeatureSet {
 public:
  constexpr FeatureSet() = default;
  constexpr FeatureSet(Feature feature) : bits_(static_cast<std::uint32_t>(feature)) {}
  constexpr FeatureSet operator|(FeatureSet other) const { return FeatureSet(bits_ | other.bits_); }
  constexpr FeatureSet operator&(FeatureSet other) const { return FeatureSet(bits_ & other.bits_); }
  constexpr bool contains(FeatureSet needs) const { return (needs.bits_ & ~bits_) == 0; }
  constexpr bool operator==(const FeatureSet&) const = default;

 private:
  constexpr explicit FeatureSet(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

constexpr FeatureSet operator|(Feature a, Feature b) { return FeatureSet(a) | FeatureSet(b); }

// Asks the CPU (x86: CPUID and XGETBV) or the operating system (ARM) once; later calls return the same set.
FeatureSet detected_features();

std::vector<std::string> feature_names(FeatureSet features);

}  // namespace paring
