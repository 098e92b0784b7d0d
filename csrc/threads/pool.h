// The library's own threads: what OpenMP would do, without hanging after fork and without a second copy per wheel.
//
// What it is: `parallel_for(tasks, fn)` runs fn(0) ... fn(tasks - 1), some of them on workers. No thread exists before
// the first call that wants one. Before a fork the workers are joined; they come back at the next use, in parent and
// child. If another thread holds the pool, or the call is nested, everything runs on the caller: a server with many
// threads degrades to one core a request instead of piling up.
// What it is not: a scheduler. Tasks should be of similar cost and few (a small multiple of the threads).
// Results must not depend on who runs which task; nothing here promises an order. Tasks run in the default
// floating-point environment (rounding to nearest, denormals kept), whatever the caller or another library has set.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace paring {

// How many threads a call may use, the caller included: 1 to kMostThreads (other counts become the nearest).
inline constexpr std::size_t kMostThreads = 1024;
std::size_t num_threads();
void set_num_threads(std::size_t count);

namespace detail {
using TaskFunction = void (*)(const void* context, std::size_t task);
void run_tasks(std::size_t tasks, TaskFunction function, const void* context);
}  // namespace detail

// An exception of any task is rethrown on the caller after all tasks ended (the first one wins).
template <typename Function>
void parallel_for(std::size_t tasks, const Function& function) {
  detail::run_tasks(
      tasks, [](const void* context, std::size_t task) { (*static_cast<const Function*>(context))(task); },
      std::addressof(function));
}

// Splits `items` into pieces of at least `grain` items and runs fn(begin, end) on each. The pieces depend on the thread
// count, so fn must give the same bytes however the range is cut.
template <typename Function>
void parallel_ranges(std::size_t items, std::size_t grain, const Function& function) {
  if (items == 0) return;
  const std::size_t most = num_threads() * 4, wanted = items / (grain > 0 ? grain : 1);
  const std::size_t pieces = wanted < 1 ? 1 : wanted < most ? wanted : most;
  const std::size_t size = (items + pieces - 1) / pieces;
  parallel_for((items + size - 1) / size, [&](std::size_t task) {
    const std::size_t begin = task * size;
    const std::size_t end = begin + size < items ? begin + size : items;
    function(begin, end);
  });
}

}  // namespace paring
