// Plain loops for the compiler to vectorize. Nothing that is written overlaps anything else, which ivdep says.
// Conditions are written so that NaN takes the branch that keeps it.
#include "optimizers/loops.h"

namespace {

using paring::Rule;

constexpr bool is_centered(Rule rule) {
  return rule == Rule::kRmspropCentered || rule == Rule::kRmspropCenteredMomentum;
}
constexpr bool has_momentum(Rule rule) {
  return rule == Rule::kRmspropMomentum || rule == Rule::kRmspropCenteredMomentum;
}

// A double as the sum of two floats, to 48 bits.
struct FloatPair {
  explicit FloatPair(double value)
      : high(static_cast<float>(value)), low(static_cast<float>(value - static_cast<double>(high))) {}

  float times(float x) const { return __builtin_fmaf(high, x, low * x); }
  float times_plus(float x, float c) const { return __builtin_fmaf(high, x, __builtin_fmaf(low, x, c)); }

  float high, low;
};

inline double mean_with(double old, double x, double share) { return (1 - share) * old + share * x; }

// The rule's update from x and the slots, which become the new ones.
template <Rule kRule>
inline double update_of(const paring::StepNumbers& k, double x, double (&slots)[paring::kMostSlots]) {
  const auto quotient = [&](double y, double v) { return y / (__builtin_sqrt(v) + k.epsilon); };
  if constexpr (kRule == Rule::kGradient) {
    return k.rate * x;
  } else if constexpr (kRule == Rule::kMomentum) {
    slots[0] = k.momentum * slots[0] + k.fresh * x;
    return k.rate * slots[0] + k.direct * x;
  } else if constexpr (kRule == Rule::kAdagrad) {
    slots[0] = slots[0] + x * x;
    return k.rate * quotient(x, slots[0]);
  } else if constexpr (kRule == Rule::kAdam || kRule == Rule::kAdamLargest) {
    slots[0] = mean_with(slots[0], x, k.first_share);
    slots[1] = mean_with(slots[1], x * x, k.second_share);
    if constexpr (kRule == Rule::kAdam) return k.rate * quotient(slots[0], slots[1]);
    slots[2] = slots[2] > slots[1] ? slots[2] : slots[1];
    return k.rate * quotient(slots[0], slots[2]);
  } else {
    double variance = slots[0] = mean_with(slots[0], x * x, k.second_share);
    if constexpr (is_centered(kRule)) {
      slots[1] = mean_with(slots[1], x, k.second_share);
      variance = variance - slots[1] * slots[1];
      variance = variance < 0 ? 0 : variance;
    }
    if constexpr (!has_momentum(kRule)) return k.rate * quotient(x, variance);
    double& momentum = slots[is_centered(kRule) ? 2 : 1];
    momentum = k.momentum * momentum + quotient(x, variance);
    return k.rate * momentum;
  }
}

// What a mask leaves of a value: all bits or none, so that 0 becomes +0 and NaN goes too.
template <typename Real>
struct BitsOf;
template <>
struct BitsOf<float> {
  using Type = std::uint32_t;
};
template <>
struct BitsOf<double> {
  using Type = std::uint64_t;
};
template <typename Real>
using Bits = typename BitsOf<Real>::Type;

template <typename Real>
inline Real kept(Real value, Bits<Real> keep) {
  return __builtin_bit_cast(Real, __builtin_bit_cast(Bits<Real>, value) & keep);
}

// Runs step(part, bits to keep) over parts of a task with a mask. Its bytes are widened apart: in one loop with doubles
// they would make the compiler take 64 elements at a time, which no registers hold.
template <typename Real, typename Step>
void over_masked(const paring::StepTask<Real>& task, const Step& step) {
  constexpr std::size_t kBlock = 512;
  alignas(64) Bits<Real> keep[kBlock];
  for (std::size_t begin = 0; begin < task.n; begin += kBlock) {
    paring::StepTask<Real> part = task;
    part.n = task.n - begin < kBlock ? task.n - begin : kBlock;
    part.weight += begin;
    part.gradient += begin;
    for (auto& slot : part.slots)
      if (slot != nullptr) slot += begin;
    for (std::size_t i = 0; i < part.n; ++i) keep[i] = task.mask[begin + i] != 0 ? ~Bits<Real>{0} : 0;
    step(part, static_cast<const Bits<Real>*>(keep));
  }
}

template <Rule kRule, bool kPlain, bool kMasked, typename Real>
void step_elements(const paring::StepNumbers& numbers, const paring::StepTask<Real>& task,
                   const Bits<Real>* __restrict keep) {
  constexpr int kSlots = paring::slots_of(kRule);
  const paring::StepNumbers k = numbers;  // a copy that nothing written can be part of
  Real* __restrict weight = task.weight;
  const Real* __restrict gradient = task.gradient;
  Real* __restrict first = task.slots[0];
  Real* __restrict second = task.slots[1];
  Real* __restrict third = task.slots[2];
  const auto stored = [&](Real value, std::size_t i) { return kMasked ? kept(value, keep[i]) : value; };
  const std::size_t n = task.n;
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    const auto w = static_cast<double>(weight[i]);
    auto x = static_cast<double>(gradient[i]);
    if constexpr (!kPlain) {
      x = k.gradient_factor * x;
      x = x > k.gradient_limit ? k.gradient_limit : x;
      x = x < -k.gradient_limit ? -k.gradient_limit : x;
    }
    x = x + k.coupled_decay * w;
    double slots[paring::kMostSlots] = {};
    if constexpr (kSlots > 0) slots[0] = static_cast<double>(first[i]);
    if constexpr (kSlots > 1) slots[1] = static_cast<double>(second[i]);
    if constexpr (kSlots > 2) slots[2] = static_cast<double>(third[i]);

    double to = (1 - k.decay) * w - update_of<kRule>(k, x, slots);
    if constexpr (!kPlain) {
      const double beyond = __builtin_fabs(to) - k.threshold;
      to = (1 - k.shrink) * (beyond <= 0 ? 0 : __builtin_copysign(beyond, to));
    }

    weight[i] = stored(static_cast<Real>(to), i);
    if constexpr (kSlots > 0) first[i] = stored(static_cast<Real>(slots[0]), i);
    if constexpr (kSlots > 1) second[i] = stored(static_cast<Real>(slots[1]), i);
    if constexpr (kSlots > 2) third[i] = stored(static_cast<Real>(slots[2]), i);
  }
}

// y / (sqrt(v) + epsilon) within one unit in the last place: y times the inverse of the divisor, corrected by what is
// left of y after that. The divisor is high + low; low holds what the sum lost, what the root lost (its derivative
// times v - root * root; near enough where epsilon is small beside the root, and not needed where it is not), and the
// rest of epsilon.
inline float float_quotient(float y, float v, const FloatPair& epsilon) {
  const float root = __builtin_sqrtf(v);
  const float high = root + epsilon.high, added = high - root;
  const float inverse = 1.0f / high;
  const float lost_of_root = __builtin_fmaf(-root, root, v) * (0.5f * inverse);
  const float low = ((root - (high - added)) + (epsilon.high - added)) + (epsilon.low + lost_of_root);
  const float near = y * inverse;
  const float rest = __builtin_fmaf(-near, low, __builtin_fmaf(-near, high, y));
  return __builtin_fmaf(rest, inverse, near);
}

// The first slot is computed in double, since m and the gradient may cancel; the second is a sum of what is not
// negative.
template <bool kMasked>
void adam_elements(const paring::StepNumbers& numbers, const paring::StepTask<float>& task,
                   const std::uint32_t* __restrict keep) {
  const double first_share = numbers.first_share;
  const FloatPair second_share(numbers.second_share), second_rest(1 - numbers.second_share), rate(numbers.rate),
      decay(numbers.decay), epsilon(numbers.epsilon);
  constexpr float kLargest = 3.4028235e38f;
  float* __restrict weight = task.weight;
  const float* __restrict gradient = task.gradient;
  float* __restrict mean = task.slots[0];
  float* __restrict square = task.slots[1];
  const auto stored = [&](float value, std::size_t i) { return kMasked ? kept(value, keep[i]) : value; };
  const std::size_t n = task.n;
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    const float w = weight[i], x = gradient[i], old = square[i];
    const auto m = static_cast<float>(mean_with(static_cast<double>(mean[i]), static_cast<double>(x), first_share));
    float v = __builtin_fmaf(second_share.times(x), x, second_rest.times(old));
    v = v > kLargest ? kLargest : v;  // in the quotient, infinity would meet its inverse, 0
    const float to = w - decay.times_plus(w, rate.times(float_quotient(m, v, epsilon)));
    weight[i] = stored(to, i);
    mean[i] = stored(m, i);
    square[i] = stored(v, i);
  }
}

template <Rule kRule, bool kMasked, typename Real>
void step_part(const paring::StepNumbers& k, const paring::StepTask<Real>& task, const Bits<Real>* keep) {
  if (!paring::is_plain(k)) return step_elements<kRule, false, kMasked>(k, task, keep);
  if constexpr (kRule == Rule::kAdam && sizeof(Real) == sizeof(float)) {
    if (k.coupled_decay == 0) return adam_elements<kMasked>(k, task, keep);
  }
  step_elements<kRule, true, kMasked>(k, task, keep);
}

template <Rule kRule, typename Real>
void step_rule(const paring::StepNumbers& k, const paring::StepTask<Real>& task) {
  if (task.mask == nullptr) return step_part<kRule, false, Real>(k, task, nullptr);
  over_masked(task, [&](const paring::StepTask<Real>& part, const Bits<Real>* keep) {
    step_part<kRule, true, Real>(k, part, keep);
  });
}

template <typename Real>
void step(Rule rule, const paring::StepNumbers& numbers, const paring::StepTask<Real>& task) {
  switch (rule) {
    case Rule::kGradient: return step_rule<Rule::kGradient>(numbers, task);
    case Rule::kMomentum: return step_rule<Rule::kMomentum>(numbers, task);
    case Rule::kAdagrad: return step_rule<Rule::kAdagrad>(numbers, task);
    case Rule::kRmsprop: return step_rule<Rule::kRmsprop>(numbers, task);
    case Rule::kRmspropMomentum: return step_rule<Rule::kRmspropMomentum>(numbers, task);
    case Rule::kRmspropCentered: return step_rule<Rule::kRmspropCentered>(numbers, task);
    case Rule::kRmspropCenteredMomentum: return step_rule<Rule::kRmspropCenteredMomentum>(numbers, task);
    case Rule::kAdam: return step_rule<Rule::kAdam>(numbers, task);
    case Rule::kAdamLargest: return step_rule<Rule::kAdamLargest>(numbers, task);
  }
}

constexpr int kLanes = 16;

template <bool kMasked, typename Real>
double sum_of_squares_where(const Real* x, const std::uint8_t* mask, std::size_t n) {
  double lanes[kLanes] = {};
  const auto square = [&](std::size_t i) {
    const double value = kMasked && mask[i] == 0 ? 0.0 : static_cast<double>(x[i]);
    return value * value;
  };
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::size_t j = 0; j < kLanes; ++j) lanes[j] += square(i + j);
  for (std::size_t j = 0; i < n; ++i, ++j) lanes[j] += square(i);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

template <typename Real>
double sum_of_squares(const Real* x, const std::uint8_t* mask, std::size_t n) {
  return mask ? sum_of_squares_where<true>(x, mask, n) : sum_of_squares_where<false>(x, mask, n);
}

template <typename Real>
void add_squares(const Real* __restrict x, std::size_t n, double* __restrict sums) {
  for (std::size_t i = 0; i < n; ++i) {
    const double value = static_cast<double>(x[i]);
    sums[i] = sums[i] + value * value;
  }
}

template <typename Real>
void scale(Real* x, std::size_t n, double factor) {
  for (std::size_t i = 0; i < n; ++i)
    x[i] = factor == 0 ? Real{0} : static_cast<Real>(static_cast<double>(x[i]) * factor);
}

template <typename Real>
void scale_each(Real* __restrict x, std::size_t n, const double* __restrict factors) {
  for (std::size_t i = 0; i < n; ++i)
    x[i] = factors[i] == 0 ? Real{0} : static_cast<Real>(static_cast<double>(x[i]) * factors[i]);
}

template <typename Real>
constexpr paring::StepLoops<Real> kStepLoops = {
    &step<Real>, &sum_of_squares<Real>, &add_squares<Real>, &scale<Real>, &scale_each<Real>,
};

constexpr paring::OptimizerLoops loops_named(const char* name, paring::FeatureSet needs) {
  return {name, needs, kStepLoops<float>, kStepLoops<double>};
}

}  // namespace
