// Kinds of weights for narrow_body.inl: codes of 4 and 8 bits, 16-bit floats, float32. The file of an instruction set
// says how 16 bits are widened (Float16, BFloat16) and how a code becomes a number (Numbers).
#include "gemm/narrow_body.inl"

namespace {

// Where column i of a step lies in a word: see the panels of kernel.h.
template <int kBits>
constexpr int shift_of(int i) {
  return kBits == 4 ? i % 4 * 8 + i / 4 * 4 : i * 8;
}

// Codes of a column as numbers: float(code) + kOffset, by writing the code into the last bits of the float 2^23 (exact,
// as codes are below 2^23; one instruction less than a conversion where and-or is one).
template <int kCodeBits>
struct PlainNumbers {
  static constexpr int kBits = kCodeBits;
  static constexpr float kOffset = 8388608.0f;
  static constexpr bool kZeroPointTaken = false;

  explicit PlainNumbers(std::int32_t) {}

  template <int kIndex>
  PARING_INLINE F32::Vec of(I32::Vec words) const {
    constexpr int kShift = shift_of<kBits>(kIndex);
    if constexpr (kShift > 0) words = I32::shift_right<kShift>(words);
    return number(words);
  }
  PARING_INLINE F32::Vec of(I32::Vec words, int index) const {
    return number(I32::shift_right(words, static_cast<unsigned>(shift_of<kBits>(index))));
  }

 private:
  PARING_INLINE static F32::Vec number(I32::Vec words) {
    return I32::as_float(I32::and_or(words, I32::set((1 << kBits) - 1), I32::set(0x4b000000)));
  }
};

// Numbers<kOneZeroPoint> is made from the zero point of all columns, and may take it off at once.
template <template <bool> typename Numbers, bool kOneZeroPoint>
struct Codes {
  using Maker = Numbers<kOneZeroPoint>;
  using Words = I32::Vec;
  struct Group {
    F32::Vec scale, zero_point;
  };
  static constexpr int kStep = 32 / Maker::kBits;
  static constexpr std::size_t kVectorBytes = kWidth * 4, kStepBytes = kPanel * 4;

  explicit Codes(const paring::PanelLayout& layout)
      : numbers_(layout.zero_point), zero_point_(with_offset(F32::set(static_cast<float>(layout.zero_point)))) {}

  PARING_INLINE Words load(const std::byte* w) const { return I32::load(w); }
  PARING_INLINE Group group(const std::byte* parameters) const {
    const F32::Vec scale = F32::load(reinterpret_cast<const float*>(parameters));
    if constexpr (kOneZeroPoint) return {scale, zero_point_};
    return {scale, with_offset(I32::to_float(I32::load(parameters + kPanel * sizeof(float))))};
  }
  template <int kIndex>
  PARING_INLINE F32::Vec value(Words words, const Group& group) const {
    return scaled(numbers_.template of<kIndex>(words), group);
  }
  PARING_INLINE F32::Vec value(Words words, int index, const Group& group) const {
    return scaled(numbers_.of(words, index), group);
  }

 private:
  // Sums and differences of integers below 2^24 are exact: the product is the only rounding.
  PARING_INLINE static F32::Vec with_offset(F32::Vec zero_point) {
    return Maker::kOffset == 0.0f ? zero_point : F32::add(zero_point, F32::set(Maker::kOffset));
  }
  PARING_INLINE F32::Vec scaled(F32::Vec number, const Group& group) const {
    if constexpr (!kOneZeroPoint) number = F32::sub(number, group.zero_point);
    if constexpr (kOneZeroPoint && !Maker::kZeroPointTaken) number = F32::sub(number, zero_point_);
    return F32::mul(number, group.scale);
  }

  Maker numbers_;
  F32::Vec zero_point_;
};

// Floats of any width. Widen: kBytes of one, and load(from), a vector of them as float32.
template <typename Widen>
struct Floats {
  using Words = F32::Vec;
  struct Group {};
  static constexpr int kStep = 1;
  static constexpr std::size_t kVectorBytes = kWidth * Widen::kBytes, kStepBytes = kPanel * Widen::kBytes;

  explicit Floats(const paring::PanelLayout&) {}

  PARING_INLINE Words load(const std::byte* w) const { return Widen::load(w); }
  PARING_INLINE Group group(const std::byte*) const { return {}; }
  template <int kIndex>
  PARING_INLINE F32::Vec value(Words words, const Group&) const {
    return words;
  }
  PARING_INLINE F32::Vec value(Words words, int, const Group&) const { return words; }
};

struct Float32 {
  static constexpr std::size_t kBytes = 4;
  PARING_INLINE static F32::Vec load(const std::byte* from) { return F32::load(reinterpret_cast<const float*>(from)); }
};

}  // namespace
