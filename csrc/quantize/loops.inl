// Plain loops for the compiler to vectorize. Reductions run over integers, where the order of operations is free.
#include "quantize/loops.h"

namespace {

std::uint32_t bits_of(float value) { return __builtin_bit_cast(std::uint32_t, value); }

std::uint32_t abs_max_bits(const float* w, std::size_t n) {
  std::int32_t largest = 0;  // signed: the sign bit is cleared, and SSE2 has no unsigned maximum
  for (std::size_t i = 0; i < n; ++i) {
    const auto magnitude = static_cast<std::int32_t>(bits_of(w[i]) & 0x7fffffffu);
    largest = magnitude > largest ? magnitude : largest;
  }
  return static_cast<std::uint32_t>(largest);
}

using Lanes = std::int32_t __attribute__((vector_size(64)));
using Counts = std::uint32_t __attribute__((vector_size(64)));
constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(std::int32_t);

// Calls join(turn) four times, turn(v, out) being the lanes of v 8, 4, 2 and 1 further on: joining them one after the
// other, every lane comes to hold what all sixteen give together. (Vectors go by reference: how they are returned
// depends on the instruction set.)
template <typename Join>
void fold_lanes(const Join& join) {
  join([](const Lanes& v, Lanes& out) {
    out = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  });
  join([](const Lanes& v, Lanes& out) {
    out = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  });
  join([](const Lanes& v, Lanes& out) {
    out = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  });
  join([](const Lanes& v, Lanes& out) {
    out = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  });
}

struct LargestTwo {
  Lanes first = {}, next = {};

  void add(const Lanes& value) {
    const Lanes lesser = value < first ? value : first;
    first = first > value ? first : value;
    next = next > lesser ? next : lesser;
  }
  void add_floats(const float* from, std::size_t count) {
    Lanes magnitudes = {};
    __builtin_memcpy(&magnitudes, from, count * sizeof(float));
    magnitudes &= 0x7fffffff;
    add(magnitudes);
  }
  void join(const Lanes& other_first, const Lanes& other_next) {
    add(other_first);
    next = next > other_next ? next : other_next;
  }
};

// Every lane keeps its own two largest; those of all lanes are among them.
void largest_two(const float* w, std::size_t n, std::uint32_t* largest, std::uint32_t* second) {
  LargestTwo even, odd;
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    even.add_floats(w + i, kLanes);
    odd.add_floats(w + i + kLanes, kLanes);
  }
  for (; i < n; i += kLanes) even.add_floats(w + i, n - i < kLanes ? n - i : kLanes);
  even.join(odd.first, odd.next);
  fold_lanes([&](const auto& turn) {
    Lanes first, next;
    turn(even.first, first);
    turn(even.next, next);
    even.join(first, next);
  });
  *largest = static_cast<std::uint32_t>(even.first[0]);
  *second = static_cast<std::uint32_t>(even.next[0]);
}

std::size_t find_magnitude(const float* w, std::size_t n, std::uint32_t bits) {
  constexpr std::size_t kBlock = 64;
  std::size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    std::uint32_t found = 0;
    for (std::size_t j = 0; j < kBlock; ++j) found |= (bits_of(w[i + j]) & 0x7fffffffu) == bits ? 1u : 0u;
    if (found != 0) break;
  }
  while (i < n && (bits_of(w[i]) & 0x7fffffffu) != bits) ++i;
  return i;
}

void range_keys(const float* w, std::size_t n, std::int32_t* smallest, std::int32_t* largest) {
  std::int32_t low = INT32_MAX, high = INT32_MIN;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t key = paring::float_key(static_cast<std::int32_t>(bits_of(w[i])));
    low = key < low ? key : low;
    high = key > high ? key : high;
  }
  *smallest = low;
  *largest = high;
}

void quantize(const float* w, std::size_t n, paring::CodeRule rule, std::int8_t* codes) {
  const float scale = rule.scale, before = rule.before;
  const auto low = static_cast<float>(rule.low - rule.after), high = static_cast<float>(rule.high - rule.after);
  // Adding 1.5 * 2**23 rounds half to even and leaves the integer in the low bits of the significand.
  const float magic = 12582912.0f;
  for (std::size_t i = 0; i < n; ++i) {
    float v = w[i] / scale + before;
    v = v > low ? v : low;  // low for NaN
    v = v < high ? v : high;
    codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(bits_of(v + magic)) + rule.after);
  }
}

void round_products(const float* w, std::size_t n, float inverse, std::int8_t* codes) {
  const float magic = 12582912.0f;  // as above
  for (std::size_t i = 0; i < n; ++i)
    codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(bits_of(w[i] * inverse + magic)));
}

void round_to_codes(const float* w, std::size_t n, float inverse, std::int32_t zero_point, std::int8_t* codes) {
  const auto low = static_cast<float>(-128 - zero_point), high = static_cast<float>(127 - zero_point);
  const float magic = 12582912.0f;  // as above
  for (std::size_t i = 0; i < n; ++i) {
    float v = w[i] * inverse;
    v = v > low ? v : low;  // low for NaN
    v = v < high ? v : high;
    codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(bits_of(v + magic)) + zero_point);
  }
}

void dequantize(const std::int8_t* codes, std::size_t n, float scale, std::int32_t zero_point, float* w) {
  for (std::size_t i = 0; i < n; ++i) w[i] = static_cast<float>(codes[i] - zero_point) * scale;
}

// Bytes with 128 added are summed in pairs of 16-bit lanes, as long as those cannot overflow.
std::int32_t sum(const std::int8_t* codes, std::size_t n) {
  using Words = std::uint16_t __attribute__((vector_size(64)));
  constexpr std::size_t kBytes = sizeof(Words), kMost = 128;  // 128 * 2 * 255 < 2**16
  Lanes totals = {};
  std::size_t i = 0;
  while (i + kBytes <= n) {
    Words words = {};
    for (std::size_t j = 0; j < kMost && i + kBytes <= n; ++j, i += kBytes) {
      Words bytes;
      __builtin_memcpy(&bytes, codes + i, kBytes);
      bytes ^= 0x8080;
      words += (bytes & 0xff) + (bytes >> 8);
    }
    const Lanes both = reinterpret_cast<Lanes>(words);
    totals += (both & 0xffff) + reinterpret_cast<Lanes>(reinterpret_cast<Counts>(both) >> 16);
  }
  std::int32_t total = 0;
  if (i > 0) {
    fold_lanes([&](const auto& turn) {
      Lanes others;
      turn(totals, others);
      totals += others;
    });
    total = totals[0] - 128 * static_cast<std::int32_t>(i);
  }
  for (; i < n; ++i) total += codes[i];
  return total;
}

}  // namespace
