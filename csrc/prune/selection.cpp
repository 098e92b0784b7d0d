#include "prune/selection.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <type_traits>

#include "base/require.h"
#include "prune/prune.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Counts and writes the chunks of a selection; to count it needs no `outs`.
class Writer {
 public:
  Writer(std::span<const Elements> weights, std::span<void* const> outs, const std::vector<Chunk>& chunks,
         const Cut& cut, const PruneLoops& loops)
      : weights_(weights), outs_(outs), chunks_(chunks), loops_(loops) {
    for (const Elements& weight : weights) limits_.push_back(limit_in(weight.kind, cut));
  }

  // How many elements of each chunk are equal to the cut.
  std::vector<std::size_t> count_equal() const {
    std::vector<std::size_t> equal(chunks_.size());
    over_chunks([&](std::size_t c, const auto* words, const auto& loops, auto*) {
      using Word = std::remove_cvref_t<decltype(*words)>;
      const Limit& limit = limits_[chunks_[c].weight];
      if (limit.equal) equal[c] = loops.count_equal(words, chunks_[c].size, static_cast<Word>(limit.key));
    });
    return equal;
  }

  // Zeroes what is below the cut, and the first `goes[c]` of the `equal[c]` elements at it. Returns how many went in
  // each chunk.
  std::vector<std::size_t> write(const std::vector<std::size_t>& equal, const std::vector<std::size_t>& goes) const {
    std::vector<std::size_t> gone(chunks_.size());
    over_chunks([&](std::size_t c, const auto* words, const auto& loops, auto* out) {
      using Word = std::remove_cvref_t<decltype(*words)>;
      const std::size_t size = chunks_[c].size;
      const auto key = static_cast<Word>(limits_[chunks_[c].weight].key), above = static_cast<Word>(key + 1);
      std::size_t split = goes[c] == 0 ? 0 : size;  // before it, what is equal goes
      if (goes[c] != 0 && goes[c] != equal[c]) {
        split = 0;
        for (std::size_t seen = 0; split < size && seen < goes[c]; ++split) seen += key_of(words[split]) == key ? 1 : 0;
      }
      gone[c] =
          loops.zero_below(words, split, above, out) + loops.zero_below(words + split, size - split, key, out + split);
    });
    return gone;
  }

 private:
  // Runs function(c, words, loops, out) for every chunk, on all threads.
  template <typename Function>
  void over_chunks(const Function& function) const {
    parallel_ranges(chunks_.size(), kGrainChunks, [&](std::size_t begin, std::size_t end) {
      for (std::size_t c = begin; c < end; ++c) {
        const Chunk& chunk = chunks_[c];
        with_word(weights_[chunk.weight].kind, [&](auto zero) {
          using Word = decltype(zero);
          auto* out = outs_.empty() ? nullptr : static_cast<Word*>(outs_[chunk.weight]) + chunk.begin;
          function(c, static_cast<const Word*>(weights_[chunk.weight].data) + chunk.begin, word_loops<Word>(loops_),
                   out);
        });
      }
    });
  }

  std::span<const Elements> weights_;
  std::span<void* const> outs_;
  const std::vector<Chunk>& chunks_;
  const PruneLoops& loops_;
  std::vector<Limit> limits_;  // one a weight
};

// Of the elements equal to the cut as many as `equal`, the earlier first: how many that is in each chunk.
std::vector<std::size_t> first_of(const std::vector<std::size_t>& in_chunks, std::size_t equal) {
  std::vector<std::size_t> goes(in_chunks.size());
  for (std::size_t c = 0; c < goes.size(); ++c) {
    goes[c] = std::min(in_chunks[c], equal);
    equal -= goes[c];
  }
  return goes;
}

void check_count(std::span<const Elements> weights, std::size_t count) {
  std::size_t elements = 0;
  for (const Elements& weight : weights) elements += weight.size;
  require(count <= elements, [&] {
    return "count: expected at most " + std::to_string(elements) + " elements, got " + std::to_string(count);
  });
}

}  // namespace

Selection select_smallest(std::span<const Elements> weights, std::size_t count, const PruneLoops& loops) {
  check_count(weights, count);
  const std::vector<Chunk> chunks = chunks_of(weights);
  Selection selection{find_cut(weights, chunks, count), std::vector<std::size_t>(weights.size())};
  if (selection.cut.equal == 0) return selection;
  const Writer writer(weights, {}, chunks, selection.cut, loops);
  const std::vector<std::size_t> goes = first_of(writer.count_equal(), selection.cut.equal);
  for (std::size_t c = 0; c < chunks.size(); ++c) selection.equal[chunks[c].weight] += goes[c];
  return selection;
}

std::size_t prune_selected(const Elements& weight, const Cut& cut, void* out, const PruneLoops& loops) {
  const std::vector<Chunk> chunks = chunks_of({&weight, 1});
  const Writer writer({&weight, 1}, {&out, 1}, chunks, cut, loops);
  std::vector<std::size_t> equal(chunks.size());
  if (cut.equal > 0) equal = writer.count_equal();
  const std::vector<std::size_t> gone = writer.write(equal, first_of(equal, cut.equal));
  return std::accumulate(gone.begin(), gone.end(), std::size_t{0});
}

std::vector<std::size_t> prune_smallest(std::span<const Elements> weights, std::size_t count,
                                        std::span<void* const> outs, const PruneLoops& loops) {
  check_count(weights, count);
  const std::vector<Chunk> chunks = chunks_of(weights);
  const Cut cut = find_cut(weights, chunks, count);
  const Writer writer(weights, outs, chunks, cut, loops);
  std::vector<std::size_t> equal(chunks.size());
  if (cut.equal > 0) equal = writer.count_equal();
  const std::vector<std::size_t> gone = writer.write(equal, first_of(equal, cut.equal));
  std::vector<std::size_t> gone_in(weights.size());
  for (std::size_t c = 0; c < chunks.size(); ++c) gone_in[chunks[c].weight] += gone[c];
  return gone_in;
}

}  // namespace paring
