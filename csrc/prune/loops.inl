// Plain loops for the compiler to vectorize. `out` may be `w`, never anything in between: ivdep says that no iteration
// reads what an earlier one wrote.
#include "prune/loops.h"

namespace {

template <typename Word>
constexpr Word kKeyMask = static_cast<Word>(~(static_cast<Word>(1) << (8 * sizeof(Word) - 1)));

// Counts are kept in the element's own width, so that they fill the same lanes; this many fit the narrowest.
constexpr std::size_t kCountable = 16384;

template <typename Word>
Word largest_key(const Word* w, std::size_t n) {
  Word largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto key = static_cast<Word>(w[i] & kKeyMask<Word>);
    largest = key > largest ? key : largest;
  }
  return largest;
}

template <typename Word>
std::size_t zero_below(const Word* w, std::size_t n, Word limit, Word* out) {
  std::size_t total = 0;
  for (std::size_t begin = 0; begin < n; begin += kCountable) {
    const std::size_t end = n - begin < kCountable ? n : begin + kCountable;
    Word gone = 0;
#pragma GCC ivdep
    for (std::size_t i = begin; i < end; ++i) {
      const Word word = w[i];
      const Word below = static_cast<Word>(word & kKeyMask<Word>) < limit ? -1 : 0;
      gone = static_cast<Word>(gone - below);
      out[i] = static_cast<Word>(word & ~below);
    }
    total += static_cast<std::size_t>(gone);
  }
  return total;
}

template <typename Word>
std::size_t count_equal(const Word* w, std::size_t n, Word key) {
  std::size_t total = 0;
  for (std::size_t begin = 0; begin < n; begin += kCountable) {
    const std::size_t end = n - begin < kCountable ? n : begin + kCountable;
    Word equal = 0;
    for (std::size_t i = begin; i < end; ++i)
      equal = static_cast<Word>(equal + (static_cast<Word>(w[i] & kKeyMask<Word>) == key ? 1 : 0));
    total += static_cast<std::size_t>(equal);
  }
  return total;
}

template <typename Word>
constexpr Word if_less(Word a, Word b, Word value) {
  return static_cast<Word>(value & (a < b ? -1 : 0));
}

// Each element counts who beats it: a larger key, or an equal one later in the run. Written out, since GCC 12 does not
// vectorize over runs when there is a loop inside.
template <typename Word>
void keep_of_4(const Word* w, std::size_t runs, int keep, Word* out) {
  const auto kept = static_cast<Word>(keep);
  const auto key = [](Word word) { return static_cast<Word>(word & kKeyMask<Word>); };
  const auto greater = [](Word x, Word y) { return if_less<Word>(y, x, 1); };
#pragma GCC ivdep
  for (std::size_t run = 0; run < runs; ++run) {
    const Word a = w[4 * run], b = w[4 * run + 1], c = w[4 * run + 2], d = w[4 * run + 3];
    const Word ab = greater(key(a), key(b)), ac = greater(key(a), key(c)), ad = greater(key(a), key(d));
    const Word bc = greater(key(b), key(c)), bd = greater(key(b), key(d)), cd = greater(key(c), key(d));
    out[4 * run] = if_less(static_cast<Word>(3 - ab - ac - ad), kept, a);
    out[4 * run + 1] = if_less(static_cast<Word>(2 + ab - bc - bd), kept, b);
    out[4 * run + 2] = if_less(static_cast<Word>(1 + ac + bc - cd), kept, c);
    out[4 * run + 3] = if_less(static_cast<Word>(ad + bd + cd), kept, d);
  }
}

constexpr int kLanes = 16;

inline double add_lanes(double* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

template <typename Real>
double sum(const Real* w, std::size_t n) {
  double lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) lanes[j] += static_cast<double>(w[i + j]);
  for (int j = 0; i < n; ++i, ++j) lanes[j] += static_cast<double>(w[i]);
  return add_lanes(lanes);
}

template <typename Real>
double sum_of_squares(const Real* w, std::size_t n, double center) {
  double lanes[kLanes] = {};
  std::size_t i = 0;
  const auto add = [&](int j, Real value) {
    const double distance = static_cast<double>(value) - center;
    lanes[j] += distance * distance;
  };
  for (; i + kLanes <= n; i += kLanes)
    for (int j = 0; j < kLanes; ++j) add(j, w[i + j]);
  for (int j = 0; i < n; ++i, ++j) add(j, w[i]);
  return add_lanes(lanes);
}

template <typename Word>
constexpr paring::PruneWordLoops<Word> kWordLoops = {
    &largest_key<Word>,
    &zero_below<Word>,
    &count_equal<Word>,
    &keep_of_4<Word>,
};

template <typename Real>
constexpr paring::MomentLoops<Real> kMomentLoops = {&sum<Real>, &sum_of_squares<Real>};

constexpr paring::PruneLoops loops_named(const char* name, paring::FeatureSet needs) {
  return {name,
          needs,
          kWordLoops<std::int16_t>,
          kWordLoops<std::int32_t>,
          kWordLoops<std::int64_t>,
          kMomentLoops<float>,
          kMomentLoops<double>};
}

}  // namespace
