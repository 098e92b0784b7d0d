// One step of an optimizer as arithmetic on one element: the contract that every instruction set keeps to the byte.
//
// Everything is computed in double, one rounding an operation, in the order written, and what is stored is rounded once
// more, to the type of the weight. With w the weight, g the gradient, and the numbers of StepNumbers:
//
//   x  = clamp(gradient_factor * g, -gradient_limit, gradient_limit) + coupled_decay * w
//   u  = the update: the rule's, from x and its slots (Rule)
//   w' = (1 - decay) * w - u
//   w' = |w'| <= threshold ? 0 : copysign(|w'| - threshold, w')
//   w' = (1 - shrink) * w'
//   where the mask is 0: w' = +0 and every slot +0, whatever came out, NaN included
//
// The mask is one byte an element. Numbers may be left out all together where they change nothing but the sign of a
// zero (is_plain(), below). Infinity on the way in becomes infinity or NaN; NaN stays NaN, with bits that are nobody's
// promise.
//
// kAdam on float32 with plain numbers and no coupled decay ends otherwise, because square roots and divisions in double
// take longer than memory does: its second slot, u and w' are computed in float32, from the slots as stored, by
// correctly rounded operations as well (adam_elements in loops.inl has the order). Errors are then at most 4 units in
// the last place: of the slot, and for w' of the largest among w, w' and u, above 1e-30. A slot that would overflow
// stays at the largest float32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paring {

// `a`, `b`, `c` are the slots in order, primes what they become. mean(a, x, share) = (1 - share) * a + share * x, and
// quotient(x, v) = x / (sqrt(v) + epsilon).
enum class Rule : std::uint8_t {
  // u = rate * x
  kGradient,
  // a' = momentum * a + fresh * x;  u = rate * a' + direct * x
  kMomentum,
  // a' = a + x * x;  u = rate * quotient(x, a')
  kAdagrad,
  // a' = mean(a, x * x, second_share);  u = rate * quotient(x, a')
  kRmsprop,
  // as kRmsprop, then b' = momentum * b + quotient(x, a');  u = rate * b'
  kRmspropMomentum,
  // as kRmsprop with b' = mean(b, x, second_share) and quotient(x, max(a' - b' * b', 0))
  kRmspropCentered,
  // both: the slot of the momentum is c
  kRmspropCenteredMomentum,
  // a' = mean(a, x, first_share);  b' = mean(b, x * x, second_share);  u = rate * quotient(a', b')
  kAdam,
  // as kAdam, with c' = max(c, b') in the quotient
  kAdamLargest,
};

inline constexpr int kRules = 9;
inline constexpr int kMostSlots = 3;

constexpr int slots_of(Rule rule) {
  switch (rule) {
    case Rule::kGradient: return 0;
    case Rule::kMomentum:
    case Rule::kAdagrad:
    case Rule::kRmsprop: return 1;
    case Rule::kRmspropMomentum:
    case Rule::kRmspropCentered:
    case Rule::kAdam: return 2;
    case Rule::kRmspropCenteredMomentum:
    case Rule::kAdamLargest: return 3;
  }
  return 0;
}

// The defaults are a step that changes nothing.
struct StepNumbers {
  double gradient_factor = 1;
  double gradient_limit = __builtin_inf();
  double coupled_decay = 0;
  double decay = 0;
  double threshold = 0;
  double shrink = 0;
  double rate = 0;
  double momentum = 0;
  double fresh = 0;
  double direct = 0;
  double first_share = 0;
  double second_share = 0;
  double epsilon = 0;
};

// Whether there is nothing but the rule and the two decays.
constexpr bool is_plain(const StepNumbers& k) {
  return k.gradient_factor == 1 && k.gradient_limit == __builtin_inf() && k.threshold == 0 && k.shrink == 0;
}

// `n` elements of one tensor. Nothing that is written overlaps anything else. Slots beyond the rule's are not used.
template <typename Real>
struct StepTask {
  Real* weight;
  const Real* gradient;
  Real* slots[kMostSlots];
  const std::uint8_t* mask;  // null for none
  std::size_t n;
};

}  // namespace paring
