#include "cpu/level.h"

#include <cstdlib>

#include "base/require.h"

namespace paring {
namespace {

constexpr Level kLevels[] = {
    {"scalar", FeatureSet()},
    {"avx2", Feature::kAvx2},
    {"avxvnni", Feature::kAvx2 | Feature::kAvxVnni},
    {"avx512", Feature::kAvx2 | Feature::kAvx512},
    {"avx512vnni", Feature::kAvx2 | Feature::kAvx512 | Feature::kAvx512Vnni},
    {"neon", Feature::kNeon},
    {"neondot", Feature::kNeon | Feature::kNeonDot},
};

std::string usable_names() {
  std::string names;
  for (const Level& level : kLevels) {
    if (!detected_features().contains(level.features)) continue;
    names += names.empty() ? level.name : std::string(", ") + level.name;
  }
  return names;
}

FeatureSet capped_features() {
  const char* cap = std::getenv("PARING_ISA");
  if (cap == nullptr || *cap == '\0') return detected_features();
  return features_of_level(cap);
}

}  // namespace

std::span<const Level> levels() { return kLevels; }

FeatureSet features_of_level(const std::string& name) {
  for (const Level& level : kLevels) {
    if (name != level.name) continue;
    require(detected_features().contains(level.features),
            [&] { return "PARING_ISA: this CPU lacks '" + name + "'; usable here: " + usable_names(); });
    return level.features;
  }
  throw std::invalid_argument("PARING_ISA: unknown name '" + name + "'; usable here: " + usable_names());
}

FeatureSet active_features() {
  static const FeatureSet active = capped_features();
  return active;
}

const Level& active_level() {
  const Level* best = &kLevels[0];
  for (const Level& level : kLevels) {
    if (active_features().contains(level.features)) best = &level;
  }
  return *best;
}

FeatureSet features_or_active(const std::string& isa) {
  return isa.empty() ? active_features() : features_of_level(isa);
}

}  // namespace paring
