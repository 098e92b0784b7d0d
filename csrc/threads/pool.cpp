#include "threads/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

namespace paring {
namespace {

// musl gives threads 128 KB of stack; kernels keep tiles of accumulators there.
constexpr std::size_t kStackBytes = std::size_t{1} << 20;

// How long a thread looks for work, or for the end of others' work, before it sleeps. Sleeping and waking cost ten to
// some hundred microseconds in a virtual machine, as much as a whole layer; between two layers of a network there is
// less than this.
constexpr auto kPatience = std::chrono::microseconds(100);

// The default floating-point environment while it lives: threads inherit that of whoever made them, and libraries built
// with -ffast-math switch denormals off for a whole process.
class DefaultFloatEnvironment {
 public:
#if defined(__x86_64__)
  DefaultFloatEnvironment() : saved_(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(0x1f80); }
  ~DefaultFloatEnvironment() { __builtin_ia32_ldmxcsr(saved_); }
#else
  DefaultFloatEnvironment() {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&saved_); }
#endif
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
#if defined(__x86_64__)
  unsigned saved_;
#else
  std::fenv_t saved_;
#endif
};

template <typename Condition>
void spin_until(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  do {
    for (int i = 0; i < 16; ++i) {
      if (condition()) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < deadline);
}

struct Job {
  detail::TaskFunction function = nullptr;
  const void* context = nullptr;
  std::size_t tasks = 0;
  std::atomic<std::size_t> next{0};
  std::mutex error_lock;
  std::exception_ptr error;

  void work() {
    for (std::size_t task = next.fetch_add(1); task < tasks; task = next.fetch_add(1)) {
      try {
        function(context, task);
      } catch (...) {
        const std::lock_guard guard(error_lock);
        if (!error) error = std::current_exception();
      }
    }
  }
};

class Pool {
 public:
  // The pool is never destroyed: workers may still wait on it while the process exits.
  static Pool& instance() {
    static Pool* pool = new Pool();
    return *pool;
  }

  // False if somebody else holds the pool; then nothing was run.
  bool try_run(Job& job, std::size_t threads) {
    const std::unique_lock region(region_, std::try_to_lock);
    if (!region.owns_lock()) return false;
    const std::size_t helpers = start_workers(threads - 1);
    {
      const std::lock_guard guard(lock_);
      job_ = &job;
      wanted_ = helpers;
      ++generation_;
    }
    wake_.notify_all();
    inside_ = true;
    job.work();
    inside_ = false;
    {
      // Whoever has not woken yet is too late: nothing is left, and waiting for it could take longer than the work.
      const std::lock_guard guard(lock_);
      job_ = nullptr;
    }
    spin_until([&] { return busy_ == 0; });
    std::unique_lock guard(lock_);
    idle_.wait(guard, [&] { return busy_ == 0; });
    return true;
  }

  static bool inside() { return inside_; }

 private:
  Pool() { pthread_atfork(&before_fork, &after_fork, &after_fork); }

  // Workers 0 ... wanted_ - 1 take part in a job; more may sleep on from an earlier, wider call.
  std::size_t start_workers(std::size_t count) {
    workers_.reserve(count);  // so that a started thread is always recorded
    while (workers_.size() < count) {
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      pthread_attr_setstacksize(&attributes, kStackBytes);
      auto* start = new Start{this, workers_.size(), generation_};
      pthread_t thread{};
      const int failed = pthread_create(&thread, &attributes, &worker_main, start);
      pthread_attr_destroy(&attributes);
      if (failed != 0) {
        delete start;
        break;  // fewer threads are slower, not wrong
      }
      workers_.push_back(thread);
    }
    return count < workers_.size() ? count : workers_.size();
  }

  struct Start {
    Pool* pool;
    std::size_t index;
    std::size_t generation;
  };

  static void* worker_main(void* argument) {
    const Start start = *static_cast<Start*>(argument);
    delete static_cast<Start*>(argument);
    start.pool->serve(start.index, start.generation);
    return nullptr;
  }

  void serve(std::size_t index, std::size_t seen) {
    inside_ = true;
    const DefaultFloatEnvironment environment;
    while (true) {
      spin_until([&] { return stop_ || generation_ != seen; });
      std::unique_lock guard(lock_);
      wake_.wait(guard, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      if (index >= wanted_ || job_ == nullptr) continue;
      Job* job = job_;
      ++busy_;
      guard.unlock();
      job->work();
      guard.lock();
      if (--busy_ == 0) idle_.notify_one();
    }
  }

  // Held from before the fork until after it on both sides, so no job is under way and no worker exists meanwhile.
  static void before_fork() {
    Pool& pool = instance();
    pool.region_.lock();
    {
      const std::lock_guard guard(pool.lock_);
      pool.stop_ = true;
    }
    pool.wake_.notify_all();
    for (pthread_t worker : pool.workers_) pthread_join(worker, nullptr);
    pool.workers_.clear();
    pool.stop_ = false;
  }
  static void after_fork() { instance().region_.unlock(); }

  std::mutex region_;  // one parallel region at a time
  std::vector<pthread_t> workers_;

  std::mutex lock_;  // guards what follows; the atomic ones are also read while spinning, but only changed under it
  std::condition_variable wake_, idle_;
  Job* job_ = nullptr;
  std::size_t wanted_ = 0;
  std::atomic<std::size_t> generation_ = 0, busy_ = 0;
  std::atomic<bool> stop_ = false;

  static thread_local bool inside_;
};

thread_local bool Pool::inside_ = false;

std::atomic<std::size_t> thread_count{1};

}  // namespace

std::size_t num_threads() { return thread_count.load(std::memory_order_relaxed); }

void set_num_threads(std::size_t count) {
  thread_count.store(std::clamp<std::size_t>(count, 1, kMostThreads), std::memory_order_relaxed);
}

namespace detail {

void run_tasks(std::size_t tasks, TaskFunction function, const void* context) {
  if (tasks == 0) return;
  const DefaultFloatEnvironment environment;
  const std::size_t threads = num_threads() < tasks ? num_threads() : tasks;
  if (threads == 1 || Pool::inside()) {
    for (std::size_t task = 0; task < tasks; ++task) function(context, task);
    return;
  }
  Job job;
  job.function = function;
  job.context = context;
  job.tasks = tasks;
  if (!Pool::instance().try_run(job, threads)) job.work();
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace detail
}  // namespace paring
