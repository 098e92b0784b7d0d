#include "prune/element.h"

#include <stdexcept>

namespace paring {

ElementKind element_kind_named(const std::string& name) {
  if (name == "float16") return ElementKind::kFloat16;
  if (name == "bfloat16") return ElementKind::kBfloat16;
  if (name == "float32") return ElementKind::kFloat32;
  if (name == "float64") return ElementKind::kFloat64;
  throw std::invalid_argument("kind: expected float16, bfloat16, float32 or float64, got '" + name + "'");
}

}  // namespace paring
