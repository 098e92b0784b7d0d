#include <immintrin.h>

#include "sparse/csr_loops.inl"

namespace {

// VPCOMPRESSD to a register and a masked store: the form that writes memory is slow on some processors.
void gather_f32(const float* row, std::size_t n, std::size_t count, float* data, std::int32_t* indices) {
  __m512i columns = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff), sixteen = _mm512_set1_epi32(16);
  for (std::size_t i = 0, kept = 0; kept < count && i < n; i += 16, columns = _mm512_add_epi32(columns, sixteen)) {
    const __mmask16 inside = static_cast<__mmask16>(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1);
    const __m512i values = _mm512_maskz_loadu_epi32(inside, row + i);
    const __mmask16 keep = _mm512_test_epi32_mask(values, magnitude);
    const auto found = static_cast<std::size_t>(__builtin_popcount(keep)), room = count - kept;
    const std::size_t kept_here = found < room ? found : room;
    const auto store = static_cast<__mmask16>((1u << kept_here) - 1);
    _mm512_mask_storeu_epi32(data + kept, store, _mm512_maskz_compress_epi32(keep, values));
    _mm512_mask_storeu_epi32(indices + kept, store, _mm512_maskz_compress_epi32(keep, columns));
    kept += kept_here;
  }
}

// VPCOMPRESSB needs more than this level has: walk the bits of 64 comparisons instead.
void gather_s8(const std::int8_t* row, std::size_t n, std::size_t count, std::int8_t* data, std::int32_t* indices) {
  for (std::size_t i = 0, kept = 0; kept < count && i < n; i += 64) {
    const __mmask64 inside = n - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (n - i)) - 1;
    const __m512i codes = _mm512_maskz_loadu_epi8(inside, row + i);
    for (std::uint64_t keep = _mm512_test_epi8_mask(codes, codes); keep != 0 && kept < count;
         keep &= keep - 1, ++kept) {
      const std::size_t column = i + static_cast<std::size_t>(__builtin_ctzll(keep));
      data[kept] = row[column];
      indices[kept] = static_cast<std::int32_t>(column);
    }
  }
}

}  // namespace

namespace paring {
constexpr CsrLoops kCsrLoopsAvx512 = {
    "csr_avx512", Feature::kAvx512, &count_f32, &count_s8, &gather_f32, &gather_s8,
};
}  // namespace paring
