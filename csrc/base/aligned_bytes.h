// An owning, zeroed buffer whose start is aligned for every vector register and for cache lines.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace paring {

inline constexpr std::size_t kAlignment = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

class AlignedBytes {
 public:
  enum class Fill { kZero, kNone };

  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size, Fill fill = Fill::kZero) : size_(size) {
    if (size == 0) return;
    // Large buffers start on a huge page, where the kernel grants them: packed weights are read end to end.
    const std::size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, round_up(size, alignment))));
    if (!data_) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(data_.get(), round_up(size, alignment), MADV_HUGEPAGE);
#endif
    if (fill == Fill::kZero) std::memset(data_.get(), 0, size);
  }

  // At least `size` bytes; if there were fewer, the contents are lost and undefined.
  void grow(std::size_t size) {
    if (size_ < size) *this = AlignedBytes(size, Fill::kNone);
  }

  std::size_t size() const { return size_; }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  template <typename T>
  T* as(std::size_t offset_bytes = 0) {
    return reinterpret_cast<T*>(data_.get() + offset_bytes);
  }
  template <typename T>
  const T* as(std::size_t offset_bytes = 0) const {
    return reinterpret_cast<const T*>(data_.get() + offset_bytes);
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace paring
