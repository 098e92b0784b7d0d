// Loops that are gone before the optimizer looks: every index is a constant, so an array of accumulators becomes
// registers. (gcc 12 unrolls ordinary loops too late for that and keeps storing the array to the stack.)
#pragma once

#include <utility>  // integer_sequence: a type, no code

namespace {

template <int... kIndices, typename Function>
[[gnu::always_inline]] inline void unroll_indices(std::integer_sequence<int, kIndices...>, const Function& function) {
  (function(std::integral_constant<int, kIndices>{}), ...);
}

// Calls function(0), ..., function(kCount - 1); the argument is usable as a constant. Mark the lambda PARING_INLINE.
template <int kCount, typename Function>
[[gnu::always_inline]] inline void unroll(const Function& function) {
  unroll_indices(std::make_integer_sequence<int, kCount>{}, function);
}

}  // namespace

#define PARING_INLINE __attribute__((always_inline))
