// Where the count-th smallest magnitude lies. The first half of prune/selection.h, which has the story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "prune/element.h"

namespace paring {

// A stretch of one weight. All chunks in order are all elements in order.
struct Chunk {
  std::size_t weight, begin, size;
};

std::vector<Chunk> chunks_of(std::span<const Elements> weights);

// Chunks for which one more thread pays.
inline constexpr std::size_t kGrainChunks = 2;

// Every element with a key below `key` goes, and the first `equal` of those with that key.
struct Cut {
  ElementKind kind;  // whose keys these are: that of all weights, or float64 where they differ
  std::uint64_t key;
  std::size_t equal;
};

// The cut below or at which exactly `count` elements lie, at most all. Throws std::invalid_argument that names the
// first NaN or infinity.
Cut find_cut(std::span<const Elements> weights, const std::vector<Chunk>& chunks, std::size_t count);

// The smallest key of `kind` that is at or beyond the cut, and whether it is equal to it.
struct Limit {
  std::uint64_t key;
  bool equal;
};

Limit limit_in(ElementKind kind, const Cut& cut);

}  // namespace paring
