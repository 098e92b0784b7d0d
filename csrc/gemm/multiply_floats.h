// The part of gemm.h whose kernels leave x in float32.
#pragma once

#include <cstddef>

#include "gemm/activations.h"
#include "gemm/gemm.h"

namespace paring {

// Steps of k that several tiles go through before the next ones: their part of a panel stays in a near cache meanwhile.
inline constexpr std::size_t kFloatDepth = 1024;

// y of the packed rows, on all threads. The output has no codes.
void multiply_floats(const PackedActivations& activations, const PackedMatrix& w, const EpilogueKernel& epilogue,
                     const LinearOutput& output);

}  // namespace paring
