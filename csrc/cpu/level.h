// Named sets of features, weakest first, and the cap PARING_ISA puts on them.
#pragma once

#include <span>
#include <string>

#include "cpu/features.h"

namespace paring {

struct Level {
  const char* name;
  FeatureSet features;
};

// Every level of every architecture, weakest first within each. A CPU may lack one in the middle.
std::span<const Level> levels();

// The features of a level; throws std::invalid_argument that lists the usable names for an unknown name or one this
// CPU lacks.
FeatureSet features_of_level(const std::string& name);

// What kernels may use: detected, capped by PARING_ISA. Read from the environment at the first call (module import).
FeatureSet active_features();

// The strongest level within active_features().
const Level& active_level();

// The features that `isa` names, or the active ones for an empty name. Tests and benchmarks pass names.
FeatureSet features_or_active(const std::string& isa);

// The first row whose needs are met: tables are ordered best first and end in a row that needs nothing.
template <typename Table>
auto& select(const Table& table, FeatureSet have) {
  for (auto& row : table) {
    if (have.contains(row.needs)) return row;
  }
  return table.back();
}

}  // namespace paring
