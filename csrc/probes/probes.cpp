#include "probes/probes.h"

#include <chrono>

#include "threads/pool.h"

namespace paring {
namespace {

const Probe kTable[] = {
#if PARING_HAVE_AVX512VNNI
    kProbeAvx512Vnni,
#endif
#if PARING_HAVE_AVX512
    kProbeAvx512,
#endif
#if PARING_HAVE_AVXVNNI
    kProbeAvxVnni,
#endif
#if PARING_HAVE_AVX2
    kProbeAvx2,
#endif
#if PARING_HAVE_NEONDOT
    kProbeNeonDot,
#endif
#if PARING_HAVE_NEON
    kProbeNeon,
#endif
    kProbeScalar,
};

template <typename Function>
double seconds_of(std::size_t threads, const Function& function) {
  const auto start = std::chrono::steady_clock::now();
  parallel_for(threads, function);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::span<const Probe> probes() { return kTable; }

double time_int8_probe(const Probe& probe, std::size_t rounds, std::size_t threads) {
  return seconds_of(threads, [&](std::size_t) { probe.int8_rounds(rounds); });
}

double time_float_probe(const Probe& probe, std::size_t rounds, std::size_t threads) {
  return seconds_of(threads, [&](std::size_t) { probe.float_rounds(rounds); });
}

double time_read_probe(const Probe& probe, const std::byte* data, std::size_t bytes, std::size_t passes,
                       std::size_t threads) {
  const std::size_t part = bytes / threads / 512 * 512;
  return seconds_of(threads, [&](std::size_t thread) {
    for (std::size_t pass = 0; pass < passes; ++pass) probe.read(data + thread * part, part);
  });
}

}  // namespace paring
