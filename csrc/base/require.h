// The one way the core refuses an argument: std::invalid_argument, which the bindings turn into ValueError.
#pragma once

#include <stdexcept>
#include <string>

namespace paring {

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

// `message` is a callable that builds the text, so that it costs nothing when the condition holds.
template <typename Message>
void require(bool condition, Message&& message) {
  if (!condition) throw std::invalid_argument(std::string(message()));
}

}  // namespace paring
