#include "prune/selection.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string>

#include "base/require.h"
#include "prune/prune.h"
#include "threads/pool.h"

namespace paring {
namespace {

constexpr int kDigitBits = 11;
constexpr std::size_t kChunk = 32768;
constexpr std::size_t kGrainChunks = 2;
// So few keys are sorted out on one thread sooner than the weights are read again.
constexpr std::size_t kFewKeys = 4096;

// A stretch of one weight. All chunks in order are all elements in order.
struct Chunk {
  std::size_t weight, begin, size;
};

std::vector<Chunk> chunks_of(std::span<const Elements> weights) {
  std::vector<Chunk> chunks;
  for (std::size_t w = 0; w < weights.size(); ++w)
    for (std::size_t begin = 0; begin < weights[w].size; begin += kChunk)
      chunks.push_back({w, begin, std::min(kChunk, weights[w].size - begin)});
  return chunks;
}

// The kind whose keys the weights are compared by: their own if it is one, else float64.
ElementKind common_kind(std::span<const Elements> weights) {
  const bool same = std::all_of(weights.begin(), weights.end(), [&](auto& w) { return w.kind == weights[0].kind; });
  return same && !weights.empty() ? weights[0].kind : ElementKind::kFloat64;
}

std::uint64_t common_key(ElementKind kind, std::uint64_t key, ElementKind common) {
  return kind == common ? key : wide_key(kind, key);
}

// The smallest key of `kind` that is at least `key` of the common kind.
std::uint64_t limit_in(ElementKind kind, std::uint64_t key, ElementKind common) {
  std::uint64_t low = 0, high = infinity_key(kind);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (common_key(kind, middle, common) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Every element with a key below `key` goes, and the first `equal` of those with that key.
struct Cut {
  std::uint64_t key;
  std::size_t equal;
};

using Histogram = std::array<std::size_t, std::size_t{1} << kDigitBits>;

// Neighbours often fall into one bucket; counting them in turns into several tables keeps one addition from waiting
// for the last. 32 bits hold the elements of a chunk.
class ChunkHistogram {
 public:
  void count(std::size_t turn, std::size_t bucket) { ++tables_[turn % kTables][bucket]; }

  void move_to(Histogram& total) {
    for (auto& table : tables_) {
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += table[i];
      table.fill(0);
    }
  }

 private:
  static constexpr std::size_t kTables = 2;
  std::array<std::array<std::uint32_t, std::size_t{1} << kDigitBits>, kTables> tables_{};
};

class Selection {
 public:
  explicit Selection(std::span<const Elements> weights)
      : weights_(weights), chunks_(chunks_of(weights)), common_(common_kind(weights)) {
    for (const Elements& weight : weights) elements_ += weight.size;
  }

  std::size_t elements() const { return elements_; }
  const std::vector<Chunk>& chunks() const { return chunks_; }
  ElementKind common() const { return common_; }

  Cut find_cut(std::size_t count) const {
    std::uint64_t prefix = 0;
    int shift = key_bits(common_);
    for (bool first = true; shift > 0; first = false) {
      const int width = std::min(kDigitBits, shift);
      shift -= width;
      const Histogram histogram = count_digits(prefix, shift, width);
      const std::size_t buckets = std::size_t{1} << width;
      // Infinity has zeros below its leading 11 bits, so the first histogram tells finite from not.
      if (first) refuse_from(histogram, infinity_key(common_) >> shift);
      std::size_t bucket = 0;
      while (bucket < buckets && count >= histogram[bucket]) count -= histogram[bucket++];
      if (bucket == buckets) return {infinity_key(common_), 0};
      prefix = prefix << width | bucket;
      if (count == 0) break;
      if (histogram[bucket] <= kFewKeys || histogram[bucket] < elements_ / 8)
        return cut_among(keys_with(prefix, shift, histogram[bucket]), count);
    }
    return {prefix << shift, count};
  }

 private:
  // The cut that `count` of these keys, and all smaller ones that are not here, lie below or at.
  static Cut cut_among(std::vector<std::uint64_t> keys, std::size_t count) {
    const auto place = keys.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(keys.begin(), place, keys.end());
    return {*place, static_cast<std::size_t>(std::count(keys.begin(), place, *place))};
  }

  // Calls visit(i, key) for every element of a chunk in order, with the key as uint64 of the common kind.
  template <typename Visit>
  void each_key(const Chunk& chunk, const Visit& visit) const {
    const Elements& weight = weights_[chunk.weight];
    with_word(weight.kind, [&](auto zero) {
      using Word = decltype(zero);
      const Word* words = static_cast<const Word*>(weight.data) + chunk.begin;
      if (weight.kind == common_) {
        for (std::size_t i = 0; i < chunk.size; ++i) visit(i, static_cast<std::uint64_t>(key_of(words[i])));
      } else {
        for (std::size_t i = 0; i < chunk.size; ++i)
          visit(i, wide_key(weight.kind, static_cast<std::uint64_t>(key_of(words[i]))));
      }
    });
  }

  // How many elements whose key starts with `prefix` have each value of the `width` bits above `shift`.
  Histogram count_digits(std::uint64_t prefix, int shift, int width) const {
    Histogram total{};
    std::mutex lock;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    parallel_ranges(chunks_.size(), kGrainChunks, [&](std::size_t begin, std::size_t end) {
      Histogram counts{};
      ChunkHistogram tables;
      for (std::size_t c = begin; c < end; ++c) {
        each_key(chunks_[c], [&](std::size_t i, std::uint64_t key) {
          const std::uint64_t digits = key >> shift;
          if (digits >> width == prefix) tables.count(i, digits & mask);
        });
        tables.move_to(counts);
      }
      const std::lock_guard guard(lock);
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += counts[i];
    });
    return total;
  }

  // The `count` keys that start with `prefix`, in any order.
  std::vector<std::uint64_t> keys_with(std::uint64_t prefix, int shift, std::size_t count) const {
    std::vector<std::uint64_t> keys;
    keys.reserve(count);
    std::mutex lock;
    parallel_ranges(chunks_.size(), kGrainChunks, [&](std::size_t begin, std::size_t end) {
      std::vector<std::uint64_t> found(kChunk);
      for (std::size_t c = begin; c < end; ++c) {
        // Always written, kept if it belongs: a branch would be guessed wrong too often.
        std::size_t kept = 0;
        each_key(chunks_[c], [&](std::size_t, std::uint64_t key) {
          found[kept] = key;
          kept += key >> shift == prefix ? 1 : 0;
        });
        const std::lock_guard guard(lock);
        keys.insert(keys.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept));
      }
    });
    return keys;
  }

  void refuse_from(const Histogram& histogram, std::size_t infinity_bucket) const {
    const auto start = histogram.begin() + static_cast<std::ptrdiff_t>(infinity_bucket);
    if (std::all_of(start, histogram.end(), [](std::size_t n) { return n == 0; })) return;
    for (const Chunk& chunk : chunks_) {
      each_key(chunk, [&](std::size_t i, std::uint64_t key) {
        require(key < infinity_key(common_), [&] {
          return "weights[" + std::to_string(chunk.weight) + "]: NaN or infinity at index " +
                 std::to_string(chunk.begin + i);
        });
      });
    }
  }

  std::span<const Elements> weights_;
  std::vector<Chunk> chunks_;
  std::size_t elements_ = 0;
  ElementKind common_;
};

// One weight's share of the cut, in its own keys: below `low` goes; `low` itself is equal to the cut if `exact`.
struct Limit {
  std::uint64_t low;
  bool exact;
};

// Zeroes what is below the limit and the first `equal` of the chunk's elements equal to the cut, which has `all_equal`.
template <typename Word>
std::size_t prune_chunk(const Word* w, std::size_t n, const Limit& limit, std::size_t equal, std::size_t all_equal,
                        const PruneWordLoops<Word>& loops, Word* out) {
  const auto low = static_cast<Word>(limit.low), above = static_cast<Word>(low + 1);
  std::size_t split = equal > 0 ? n : 0;  // equal ones before it go
  if (equal > 0 && equal < all_equal) {
    split = 0;
    for (std::size_t seen = 0; seen < equal; ++split) seen += key_of(w[split]) == low ? 1 : 0;
  }
  const std::size_t gone = split > 0 ? loops.zero_below(w, split, above, out) : 0;
  return gone + loops.zero_below(w + split, n - split, low, out + split);
}

}  // namespace

std::vector<std::size_t> prune_smallest(std::span<const Elements> weights, std::size_t count,
                                        std::span<void* const> outs, const PruneLoops& loops) {
  const Selection selection(weights);
  require(count <= selection.elements(), [&] {
    return "count: expected at most " + std::to_string(selection.elements()) + " elements, got " +
           std::to_string(count);
  });
  const Cut cut = selection.find_cut(count);
  const std::vector<Chunk>& chunks = selection.chunks();
  std::vector<Limit> limits;
  for (const Elements& weight : weights) {
    const std::uint64_t low = limit_in(weight.kind, cut.key, selection.common());
    limits.push_back({low, common_key(weight.kind, low, selection.common()) == cut.key});
  }
  // The words of a chunk in weight and out, with their loops.
  const auto with_chunk = [&](std::size_t c, const auto& function) {
    const Chunk& chunk = chunks[c];
    with_word(weights[chunk.weight].kind, [&](auto zero) {
      using Word = decltype(zero);
      function(static_cast<const Word*>(weights[chunk.weight].data) + chunk.begin, word_loops<Word>(loops),
               static_cast<Word*>(outs[chunk.weight]) + chunk.begin);
    });
  };

  std::vector<std::size_t> equal(chunks.size()), gone(chunks.size());
  const auto over_chunks = [&](const auto& function) {
    parallel_ranges(chunks.size(), kGrainChunks, [&](std::size_t begin, std::size_t end) {
      for (std::size_t c = begin; c < end; ++c) function(c);
    });
  };
  if (cut.equal > 0) {
    over_chunks([&](std::size_t c) {
      const Limit& limit = limits[chunks[c].weight];
      if (!limit.exact) return;
      with_chunk(c, [&](auto* words, const auto& table, auto*) {
        using Word = std::remove_cvref_t<decltype(*words)>;
        equal[c] = table.count_equal(words, chunks[c].size, static_cast<Word>(limit.low));
      });
    });
  }
  std::vector<std::size_t> equal_goes(chunks.size());
  for (std::size_t c = 0, left = cut.equal; c < chunks.size(); ++c) {
    equal_goes[c] = std::min(equal[c], left);
    left -= equal_goes[c];
  }
  over_chunks([&](std::size_t c) {
    with_chunk(c, [&](auto* words, const auto& table, auto* out) {
      gone[c] = prune_chunk(words, chunks[c].size, limits[chunks[c].weight], equal_goes[c], equal[c], table, out);
    });
  });
  std::vector<std::size_t> gone_in(weights.size());
  for (std::size_t c = 0; c < chunks.size(); ++c) gone_in[chunks[c].weight] += gone[c];
  return gone_in;
}

}  // namespace paring
