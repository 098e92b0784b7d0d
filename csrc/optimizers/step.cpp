#include "optimizers/step.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "threads/pool.h"

namespace paring {
namespace {

constexpr const char* kRuleNames[] = {
    "gradient",
    "momentum",
    "adagrad",
    "rmsprop",
    "rmsprop_momentum",
    "rmsprop_centered",
    "rmsprop_centered_momentum",
    "adam",
    "adam_largest",
};
static_assert(std::size(kRuleNames) == kRules);

// Small enough that a model of a few large tensors is cut evenly, a multiple of every vector width.
constexpr std::size_t kChunk = 16384;
// Chunks for which one more thread pays.
constexpr std::size_t kGrainChunks = 4;

template <typename Real>
StepTask<Real> part_of(const StepTask<Real>& task, std::size_t begin, std::size_t size) {
  StepTask<Real> part = task;
  part.weight += begin;
  part.gradient += begin;
  for (Real*& slot : part.slots) slot = slot ? slot + begin : nullptr;
  part.mask = part.mask ? part.mask + begin : nullptr;
  part.n = size;
  return part;
}

template <typename Real>
void run_tensors(Rule rule, std::span<const TensorStep<Real>> tensors, const OptimizerLoops& loops) {
  // first_chunks[t] is how many chunks come before tensor t.
  std::vector<std::size_t> first_chunks;
  std::size_t chunks = 0;
  for (const auto& tensor : tensors) {
    first_chunks.push_back(chunks);
    chunks += (tensor.task.n + kChunk - 1) / kChunk;
  }
  const auto step = step_loops<Real>(loops).step;
  parallel_ranges(chunks, kGrainChunks, [&](std::size_t first, std::size_t last) {
    // The last tensor that begins at or before `first`; empty ones begin where the next does.
    auto t = static_cast<std::size_t>(std::upper_bound(first_chunks.begin(), first_chunks.end(), first) -
                                      first_chunks.begin()) -
             1;
    for (std::size_t chunk = first; chunk < last; ++t) {
      const auto& [numbers, task] = tensors[t];
      const std::size_t begin = (chunk - first_chunks[t]) * kChunk;
      const std::size_t next = t + 1 < tensors.size() ? first_chunks[t + 1] : chunks;
      const std::size_t stop = std::min(next, last);
      const std::size_t end = std::min(task.n, (stop - first_chunks[t]) * kChunk);
      if (begin < end) step(rule, numbers, part_of(task, begin, end - begin));
      chunk = stop;
    }
  });
}

}  // namespace

Rule rule_named(const std::string& name) {
  for (int i = 0; i < kRules; ++i) {
    if (name == kRuleNames[i]) return static_cast<Rule>(i);
  }
  throw std::invalid_argument("rule: no such rule: " + name);
}

void step_tensors(Rule rule, std::span<const TensorStep<float>> tensors, const OptimizerLoops& loops) {
  run_tensors(rule, tensors, loops);
}
void step_tensors(Rule rule, std::span<const TensorStep<double>> tensors, const OptimizerLoops& loops) {
  run_tensors(rule, tensors, loops);
}

}  // namespace paring
