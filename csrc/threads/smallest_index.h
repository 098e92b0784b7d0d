// The smallest index that any task reports, whatever their order: what makes "the first bad element" the same one for
// every thread count.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace paring {

class SmallestIndex {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  void report(std::size_t index) {
    std::size_t known = value_.load(std::memory_order_relaxed);
    while (index < known && !value_.compare_exchange_weak(known, index, std::memory_order_relaxed)) {
    }
  }

  std::size_t get() const { return value_.load(std::memory_order_relaxed); }
  bool found() const { return get() != kNone; }

 private:
  std::atomic<std::size_t> value_{kNone};
};

}  // namespace paring
