#include "prune/selection.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "base/require.h"
#include "prune/cut.h"
#include "prune/prune.h"
#include "threads/pool.h"

namespace paring {
namespace {

// Writes the chunks of a selection.
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
          function(c, static_cast<const Word*>(weights_[chunk.weight].data) + chunk.begin, word_loops<Word>(loops_),
                   static_cast<Word*>(outs_[chunk.weight]) + chunk.begin);
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

}  // namespace

std::vector<std::size_t> prune_smallest(std::span<const Elements> weights, std::size_t count,
                                        std::span<void* const> outs, const PruneLoops& loops) {
  std::size_t elements = 0;
  for (const Elements& weight : weights) elements += weight.size;
  require(count <= elements, [&] {
    return "count: expected at most " + std::to_string(elements) + " elements, got " + std::to_string(count);
  });
  const std::vector<Chunk> chunks = chunks_of(weights);
  const Cut cut = find_cut(weights, chunks, count);
  const Writer writer(weights, outs, chunks, cut, loops);

  std::vector<std::size_t> equal(chunks.size()), goes(chunks.size());
  if (cut.equal > 0) equal = writer.count_equal();
  for (std::size_t c = 0, left = cut.equal; c < chunks.size(); ++c) {
    goes[c] = std::min(equal[c], left);
    left -= goes[c];
  }
  const std::vector<std::size_t> gone = writer.write(equal, goes);
  std::vector<std::size_t> gone_in(weights.size());
  for (std::size_t c = 0; c < chunks.size(); ++c) gone_in[chunks[c].weight] += gone[c];
  return gone_in;
}

}  // namespace paring
