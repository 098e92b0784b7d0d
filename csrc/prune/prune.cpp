#include "prune/prune.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "threads/pool.h"
#include "threads/smallest_index.h"

namespace paring {
namespace {

// A block stays in the first-level cache between the check and the writing.
constexpr std::size_t kBlockBytes = 16384;
constexpr std::size_t kGrainBytes = 131072;

// Runs prune(begin, size) on blocks of whole units, on all threads, each after a check that it is finite. Where `out`
// is the weight, the whole weight is checked before anything is written.
template <typename Word, typename Prune>
void over_finite_blocks(const Elements& weight, std::size_t unit, const void* out, const PruneWordLoops<Word>& loops,
                        const Prune& prune) {
  const auto* words = static_cast<const Word*>(weight.data);
  const auto infinity = static_cast<Word>(infinity_key(weight.kind));
  const std::size_t block = std::max<std::size_t>(kBlockBytes / sizeof(Word) / unit, 1) * unit;
  const std::size_t blocks = (weight.size + block - 1) / block;
  SmallestIndex bad;
  const auto pass = [&](bool check, bool write) {
    parallel_ranges(blocks, kGrainBytes / kBlockBytes, [&](std::size_t first, std::size_t last) {
      for (std::size_t b = first; b < last; ++b) {
        const std::size_t begin = b * block, size = std::min(block, weight.size - begin);
        if (check && loops.largest_key(words + begin, size) >= infinity) {
          std::size_t i = begin;
          while (i + 1 < begin + size && key_of(words[i]) < infinity) ++i;
          bad.report(i);
          return;
        }
        if (write) prune(begin, size);
      }
    });
    if (bad.found()) throw std::invalid_argument("weight: NaN or infinity at index " + std::to_string(bad.get()));
  };
  if (out == weight.data) pass(true, false);
  pass(out != weight.data, true);
}

// Runs up to this size count who beats whom; the work grows with its square.
constexpr std::size_t kSmallRun = 16;

// Each element counts who beats it: a larger key, or an equal one later in the run.
template <typename Word>
void keep_of_small_run(const Word* w, std::size_t n, std::size_t m, Word* out) {
  Word keys[kSmallRun];
  std::size_t beaten[kSmallRun] = {};
  for (std::size_t i = 0; i < m; ++i) keys[i] = key_of(w[i]);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = i + 1; j < m; ++j) {
      const std::size_t first_wins = keys[i] > keys[j] ? 1 : 0;
      beaten[j] += first_wins;
      beaten[i] += 1 - first_wins;
    }
  for (std::size_t i = 0; i < m; ++i) out[i] = beaten[i] < n ? w[i] : Word{0};
}

// `keys` is scratch.
template <typename Word>
void keep_of_run(const Word* w, std::size_t n, std::size_t m, std::vector<Word>& keys, Word* out) {
  if (m <= kSmallRun) return keep_of_small_run(w, n, m, out);
  if (n == 0) {
    std::fill_n(out, m, Word{0});
    return;
  }
  keys.resize(m);
  std::transform(w, w + m, keys.begin(), key_of<Word>);
  const auto cut = keys.begin() + static_cast<std::ptrdiff_t>(m - n);
  std::nth_element(keys.begin(), cut, keys.end());
  const Word limit = *cut;
  // Of the keys equal to the limit, those left of the cut go.
  auto equal_goes = std::count(keys.begin(), cut, limit);
  for (std::size_t i = 0; i < m; ++i) {
    const Word key = key_of(w[i]);
    const bool goes = key < limit || (key == limit && equal_goes-- > 0);
    out[i] = goes ? Word{0} : w[i];
  }
}

}  // namespace

std::size_t prune_below(const Elements& weight, std::uint64_t limit, void* out, const PruneLoops& loops) {
  std::atomic<std::size_t> total{0};
  with_word(weight.kind, [&](auto word) {
    using Word = decltype(word);
    const auto& table = word_loops<Word>(loops);
    const auto* from = static_cast<const Word*>(weight.data);
    auto* to = static_cast<Word*>(out);
    over_finite_blocks<Word>(weight, 1, out, table, [&](std::size_t begin, std::size_t size) {
      total += table.zero_below(from + begin, size, static_cast<Word>(limit), to + begin);
    });
  });
  return total;
}

void prune_n_of_m(const Elements& weight, std::size_t n, std::size_t m, void* out, const PruneLoops& loops) {
  with_word(weight.kind, [&](auto word) {
    using Word = decltype(word);
    const auto& table = word_loops<Word>(loops);
    const auto* from = static_cast<const Word*>(weight.data);
    auto* to = static_cast<Word*>(out);
    over_finite_blocks<Word>(weight, m, out, table, [&](std::size_t begin, std::size_t size) {
      if (m == 4) return table.keep_of_4(from + begin, size / 4, static_cast<int>(n), to + begin);
      std::vector<Word> keys;
      for (std::size_t i = begin; i < begin + size; i += m) keep_of_run(from + i, n, m, keys, to + i);
    });
  });
}

}  // namespace paring
