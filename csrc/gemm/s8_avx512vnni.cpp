// VPDPBUSD adds four products of an unsigned byte (the weight) and a signed byte (x, broadcast from memory) to each of
// sixteen 32-bit sums, without saturation.
#include <immintrin.h>

#include "base/simd/unroll.h"
#include "gemm/kernel.h"

namespace {

constexpr int kPanel = 32, kColumns = 2;

PARING_INLINE inline __m512i load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }

PARING_INLINE inline __m512i broadcast_quad(const std::int8_t* p) {
  std::int32_t value;
  __builtin_memcpy(&value, p, sizeof value);
  return _mm512_set1_epi32(value);
}

// sums += float(acc - zero_point * row_sum) * scale for the rows of one group.
template <int kRows>
PARING_INLINE inline void add_group(const paring::TileTask& task, std::size_t g,
                                    const __m512i (&acc)[kRows][kColumns]) {
  unroll<kColumns>([&](auto c) PARING_INLINE {
    const __m512i zero_point = _mm512_loadu_si512(task.zero_points + g * kPanel + c * 16);
    const __m512 scale = _mm512_loadu_ps(task.scales + g * kPanel + c * 16);
    unroll<kRows>([&](auto r) PARING_INLINE {
      float* sums = task.sums + r * kPanel + c * 16;
      const __m512i correction = _mm512_mullo_epi32(zero_point, _mm512_set1_epi32(task.row_sums[g * kRows + r]));
      const __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(acc[r][c], correction));
      const __m512 before = g == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(sums);
      _mm512_storeu_ps(sums, _mm512_fmadd_ps(exact, scale, before));
    });
  });
}

// A step of the panel as the two vectors of 16 columns that meet `quad` of the step's quads of x.
struct Bytes {
  static constexpr int kQuads = 1;
  PARING_INLINE static __m512i columns(const std::uint8_t* w, int c, int) { return load(w + c * 64); }
};
struct Nibbles {
  static constexpr int kQuads = 2;
  PARING_INLINE static __m512i columns(const std::uint8_t* w, int c, int quad) {
    const __m512i bytes = load(w + c * 64), nibbles = _mm512_set1_epi8(15);
    return _mm512_and_si512(quad == 0 ? bytes : _mm512_srli_epi16(bytes, 4), nibbles);
  }
};

template <typename Weights, int kRows>
PARING_INLINE inline void add_step(const std::uint8_t* w, const std::int8_t* x, __m512i (&acc)[kRows][kColumns]) {
  unroll<Weights::kQuads>([&](auto quad) PARING_INLINE {
    __m512i columns[kColumns];
    unroll<kColumns>([&](auto c) PARING_INLINE { columns[c] = Weights::columns(w, c, quad); });
    unroll<kRows>([&](auto r) PARING_INLINE {
      const __m512i value = broadcast_quad(x + (quad * kRows + r) * 4);
      unroll<kColumns>([&](auto c) PARING_INLINE { acc[r][c] = _mm512_dpbusd_epi32(acc[r][c], columns[c], value); });
    });
  });
}

// Few rows leave too few independent sums to hide the latency of VPDPBUSD: those tiles keep several sets.
template <typename Weights, int kRows>
void tile(const paring::TileTask& task) {
  constexpr int kSets = kRows == 1 ? 4 : kRows <= 3 ? 2 : 1;
  constexpr std::size_t kStepBytes = kPanel * 4, kStepValues = std::size_t{kRows} * 4 * Weights::kQuads;
  const auto* w = static_cast<const std::uint8_t*>(task.weights);
  const auto* x = static_cast<const std::int8_t*>(task.activations);
  for (std::size_t g = 0; g < task.groups; ++g) {
    const std::size_t steps = g + 1 < task.groups ? task.group_steps : task.last_group_steps;
    __m512i acc[kSets][kRows][kColumns];
    const auto each = [&](const auto& function) PARING_INLINE {
      unroll<kRows>([&](auto r) PARING_INLINE { unroll<kColumns>([&](auto c) PARING_INLINE { function(r, c); }); });
    };
    unroll<kSets>([&](auto set) PARING_INLINE {
      each([&](auto r, auto c) PARING_INLINE { acc[set][r][c] = _mm512_setzero_si512(); });
    });
    std::size_t s = 0;
    for (; s + kSets <= steps; s += kSets, w += kSets * kStepBytes, x += kSets * kStepValues) {
      unroll<kSets>([&](auto set) PARING_INLINE {
        add_step<Weights, kRows>(w + set * kStepBytes, x + set * kStepValues, acc[set]);
      });
    }
    for (; s < steps; ++s, w += kStepBytes, x += kStepValues) add_step<Weights, kRows>(w, x, acc[0]);
    unroll<kSets - 1>([&](auto set) PARING_INLINE {
      each([&](auto r, auto c) PARING_INLINE { acc[0][r][c] = _mm512_add_epi32(acc[0][r][c], acc[set + 1][r][c]); });
    });
    add_group<kRows>(task, g, acc[0]);
  }
}

template <typename Weights, int kMaxRows>
void any_rows(const paring::TileTask& task) {
  if constexpr (kMaxRows > 1) {
    if (task.rows < kMaxRows) return any_rows<Weights, kMaxRows - 1>(task);
  }
  tile<Weights, kMaxRows>(task);
}

}  // namespace

namespace paring {
void gemm_s8u8_avx512vnni(const TileTask& task) { any_rows<Bytes, 12>(task); }
void gemm_s8u4_avx512vnni(const TileTask& task) { any_rows<Nibbles, 12>(task); }
}  // namespace paring
