#include "cpu/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace paring {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool bit(unsigned value, unsigned position) { return (value >> position & 1u) != 0; }

// Which register files the operating system saves: a CPU may have AVX-512 and a kernel that does not.
unsigned saved_state() {
  unsigned eax = 0, edx = 0;
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return eax;
}

FeatureSet detect() {
  FeatureSet found;
  const Registers basic = cpuid(1, 0);
  const bool osxsave = bit(basic.ecx, 27), fma = bit(basic.ecx, 12), f16c = bit(basic.ecx, 29);
  if (!osxsave) return found;
  const unsigned state = saved_state();
  constexpr unsigned kYmm = 0x06, kZmm = 0xe6;
  const Registers extended = cpuid(7, 0), extended1 = cpuid(7, 1);
  if ((state & kYmm) == kYmm && fma && f16c && bit(extended.ebx, 5)) {
    found = found | Feature::kAvx2;
    if (bit(extended1.eax, 4)) found = found | Feature::kAvxVnni;
  }
  const bool f = bit(extended.ebx, 16), dq = bit(extended.ebx, 17), bw = bit(extended.ebx, 30),
             vl = bit(extended.ebx, 31);
  if ((state & kZmm) == kZmm && fma && f && dq && bw && vl) {
    found = found | Feature::kAvx512;
    if (bit(extended.ecx, 11)) found = found | Feature::kAvx512Vnni;
  }
  return found;
}

#else

FeatureSet detect() { return {}; }

#endif

}  // namespace

FeatureSet detected_features() {
  static const FeatureSet found = detect();
  return found;
}

std::vector<std::string> feature_names(FeatureSet features) {
  std::vector<std::string> names;
  const auto add = [&](Feature feature, const char* name) {
    if (features.contains(feature)) names.emplace_back(name);
  };
  add(Feature::kAvx2, "avx2");
  add(Feature::kAvxVnni, "avxvnni");
  add(Feature::kAvx512, "avx512");
  add(Feature::kAvx512Vnni, "avx512vnni");
  return names;
}

}  // namespace paring
