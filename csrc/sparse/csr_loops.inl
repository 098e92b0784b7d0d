// Plain loops for the compiler to vectorize.
#include "sparse/csr_loops.h"

namespace {

bool is_kept(std::int8_t code) { return code != 0; }
bool is_kept(float value) { return (__builtin_bit_cast(std::uint32_t, value) & 0x7fffffffu) != 0; }

// Short runs, so that the counters are as narrow as the values and as many fit a register.
template <typename Value, typename Counter>
std::size_t count_kept(const Value* row, std::size_t n) {
  constexpr std::size_t kLanes = 64, kRun = 64 * 127;
  std::size_t count = 0, i = 0;
  while (n - i >= kLanes) {
    const std::size_t left = (n - i) / kLanes * kLanes, end = i + (left < kRun ? left : kRun);
    Counter counters[kLanes] = {};
    for (; i < end; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        counters[lane] = static_cast<Counter>(counters[lane] + (is_kept(row[i + lane]) ? 1 : 0));
    for (const Counter counter : counters) count += static_cast<std::size_t>(counter);
  }
  for (; i < n; ++i) count += is_kept(row[i]) ? 1 : 0;
  return count;
}

std::size_t count_f32(const float* row, std::size_t n) { return count_kept<float, std::int32_t>(row, n); }
std::size_t count_s8(const std::int8_t* row, std::size_t n) { return count_kept<std::int8_t, std::int8_t>(row, n); }

// Without a branch on the value: every value is written, and the place moves on if it was kept.
template <typename Value>
void gather_kept(const Value* row, std::size_t n, std::size_t count, Value* data, std::int32_t* indices) {
  std::size_t kept = 0;
  for (std::size_t column = 0; kept < count && column < n; ++column) {
    const Value value = row[column];
    data[kept] = value;
    indices[kept] = static_cast<std::int32_t>(column);
    kept += is_kept(value) ? 1 : 0;
  }
}

}  // namespace
