#include "cpu/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
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

#elif defined(__aarch64__)

// Which registers exist is for the operating system to say: the CPU's own answer is not for programs to read.
bool has_dot_product() {
#if defined(__linux__)
  constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP, which old headers lack
  return (getauxval(AT_HWCAP) & kAsimdDp) != 0;
#elif defined(__APPLE__)
  int found = 0;
  std::size_t size = sizeof found;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &found, &size, nullptr, 0) == 0 && found != 0;
#elif defined(__ARM_FEATURE_DOTPROD)
  return true;
#else
  return false;
#endif
}

bool has_neon() {
#if defined(__linux__)
  constexpr unsigned long kAsimd = 1ul << 1;  // HWCAP_ASIMD
  return (getauxval(AT_HWCAP) & kAsimd) != 0;
#else
  return true;
#endif
}

FeatureSet detect() {
  if (!has_neon()) return {};
  return has_dot_product() ? Feature::kNeon | Feature::kNeonDot : FeatureSet(Feature::kNeon);
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
  add(Feature::kNeon, "neon");
  add(Feature::kNeonDot, "neondot");
  return names;
}

}  // namespace paring
