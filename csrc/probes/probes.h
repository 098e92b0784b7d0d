// What this machine could do at best right now: loops that only multiply, or only read. Benchmarks run them beside the
// kernels, in turn, so that a figure can be given as a share of the machine's own limit at that moment.
#pragma once

#include <cstddef>
#include <span>

#include "cpu/features.h"

namespace paring {

struct Probe {
  const char* name;
  FeatureSet needs;
  // Multiplies and adds on bytes (int8) or on floats, on registers alone. Null where an instruction set has no
  // instruction for it. The operations of a round count a multiply and an add as two.
  void (*int8_rounds)(std::size_t rounds);
  double int8_operations;
  void (*float_rounds)(std::size_t rounds);
  double float_operations;
  // Loads every byte once, in ascending order; bytes is a multiple of 512.
  void (*read)(const std::byte* data, std::size_t bytes);
};

// Best first; the last needs nothing.
std::span<const Probe> probes();

extern const Probe kProbeScalar, kProbeAvx2, kProbeAvxVnni, kProbeAvx512, kProbeAvx512Vnni, kProbeNeon, kProbeNeonDot;

// Seconds that `threads` of the pool's threads take when each does the whole of it.
double time_int8_probe(const Probe& probe, std::size_t rounds, std::size_t threads);
double time_float_probe(const Probe& probe, std::size_t rounds, std::size_t threads);

// Seconds that `threads` of them take to read `bytes`, each its own part, `passes` times over.
double time_read_probe(const Probe& probe, const std::byte* data, std::size_t bytes, std::size_t passes,
                       std::size_t threads);

}  // namespace paring
