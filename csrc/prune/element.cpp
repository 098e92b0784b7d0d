#include "prune/element.h"

#include <array>
#include <stdexcept>

namespace paring {
namespace {

constexpr std::array kKinds{ElementKind::kFloat16, ElementKind::kBfloat16, ElementKind::kFloat32,
                            ElementKind::kFloat64};

}  // namespace

const char* element_kind_name(ElementKind kind) {
  switch (kind) {
    case ElementKind::kFloat16: return "float16";
    case ElementKind::kBfloat16: return "bfloat16";
    case ElementKind::kFloat32: return "float32";
    case ElementKind::kFloat64: return "float64";
  }
  return "";
}

ElementKind element_kind_named(const std::string& name) {
  for (const ElementKind kind : kKinds)
    if (name == element_kind_name(kind)) return kind;
  throw std::invalid_argument("kind: expected float16, bfloat16, float32 or float64, got '" + name + "'");
}

}  // namespace paring
