#include "prune/cut.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <string>

#include "base/require.h"
#include "threads/pool.h"

namespace paring {
namespace {

constexpr int kDigitBits = 11;
constexpr std::size_t kChunk = 32768;
// So few keys are sorted out on one thread sooner than the weights are read again.
constexpr std::size_t kFewKeys = 4096;

ElementKind common_kind(std::span<const Elements> weights) {
  if (weights.empty()) return ElementKind::kFloat64;
  const bool same = std::all_of(weights.begin(), weights.end(), [&](auto& w) { return w.kind == weights[0].kind; });
  return same ? weights[0].kind : ElementKind::kFloat64;
}

std::uint64_t common_key(ElementKind kind, std::uint64_t key, ElementKind common) {
  return kind == common ? key : wide_key(kind, key);
}

using Histogram = std::array<std::size_t, std::size_t{1} << kDigitBits>;

class Search {
 public:
  Search(std::span<const Elements> weights, const std::vector<Chunk>& chunks)
      : weights_(weights), chunks_(chunks), common_(common_kind(weights)) {
    for (const Elements& weight : weights) elements_ += weight.size;
  }

  Cut find(std::size_t count) const {
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
      if (bucket == buckets) return {common_, infinity_key(common_), 0};
      prefix = prefix << width | bucket;
      if (count == 0) break;
      if (histogram[bucket] <= kFewKeys || histogram[bucket] < elements_ / 8)
        return cut_among(keys_with(prefix, shift, histogram[bucket]), count);
    }
    return {common_, prefix << shift, count};
  }

 private:
  // Of these keys `count` go, and all smaller ones, which are not here.
  Cut cut_among(std::vector<std::uint64_t> keys, std::size_t count) const {
    // Fewer than counted only if somebody writes to the weights meanwhile.
    if (keys.empty()) return {common_, infinity_key(common_), 0};
    count = std::min(count, keys.size() - 1);
    const auto place = keys.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(keys.begin(), place, keys.end());
    return {common_, *place, static_cast<std::size_t>(std::count(keys.begin(), place, *place))};
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
      // Neighbours often fall into one bucket: with two tables, one addition does not wait for the last.
      Histogram tables[2] = {};
      for (std::size_t c = begin; c < end; ++c) {
        each_key(chunks_[c], [&](std::size_t i, std::uint64_t key) {
          const std::uint64_t digits = key >> shift;
          if (digits >> width == prefix) ++tables[i % 2][digits & mask];
        });
      }
      const std::lock_guard guard(lock);
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += tables[0][i] + tables[1][i];
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
  const std::vector<Chunk>& chunks_;
  std::size_t elements_ = 0;
  ElementKind common_;
};

}  // namespace

std::vector<Chunk> chunks_of(std::span<const Elements> weights) {
  std::vector<Chunk> chunks;
  for (std::size_t w = 0; w < weights.size(); ++w)
    for (std::size_t begin = 0; begin < weights[w].size; begin += kChunk)
      chunks.push_back({w, begin, std::min(kChunk, weights[w].size - begin)});
  return chunks;
}

Cut find_cut(std::span<const Elements> weights, const std::vector<Chunk>& chunks, std::size_t count) {
  return Search(weights, chunks).find(count);
}

Limit limit_in(ElementKind kind, const Cut& cut) {
  std::uint64_t low = 0, high = infinity_key(kind);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (common_key(kind, middle, cut.kind) < cut.key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {low, common_key(kind, low, cut.kind) == cut.key};
}

}  // namespace paring
