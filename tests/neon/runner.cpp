// runner          the tiles of the rows of the dense table: mr, nr, kr
// runner VECTORS  every usable row of the dense and the sparse table on every case of its kind, with one thread and
//                 three: what the CPU has, and how many outputs of each row were right; 1 if any was wrong
#include <algorithm>
#include <bit>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>

#include "case.h"
#include "cpu/level.h"
#include "gemm/gemm.h"
#include "probes/probes.h"
#include "sparse/spmm.h"
#include "threads/pool.h"

namespace neon {
namespace {

using namespace paring;

struct Count {
  bool usable;
  int right = 0, wrong = 0;
};
std::map<std::string, Count> counts;

std::size_t size(std::int64_t value) { return static_cast<std::size_t>(value); }

// NaN is NaN: which one is the architecture's own.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]) && (a[i] == a[i] || b[i] == b[i]))
      return false;
  return a.size() == b.size();
}

template <typename Row>
Count& count_of(const Row& row) {
  return counts.try_emplace(row.name, Count{detected_features().contains(row.needs)}).first->second;
}

template <typename Kernel, typename Run>
void try_row(const Case& c, const Kernel& kernel, const Run& run) {
  // Integer rows finish their outputs themselves, but for residual and activation.
  const bool finished = c.kind == Kind::kCodes && c.activation == 0 && c.residual.empty();
  Count nobody{};
  Count& count = count_of(kernel);
  Count& epilogue = finished ? nobody : count_of(select(epilogue_kernels(), kernel.needs));
  if (!count.usable) return;
  for (const std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
    set_num_threads(threads);
    std::vector<float> y(size(c.m * c.n), 12345.0f);
    run(contiguous(y.data(), size(c.m), size(c.n)));
    if (same(y, c.expected)) {
      ++count.right;
      ++epilogue.right;
      continue;
    }
    ++epilogue.wrong;
    if (++count.wrong <= 3)
      std::printf("wrong: %s, m %lld, n %lld, k %lld, bits %lld, group %lld, activation %lld, %zu threads\n",
                  kernel.name, static_cast<long long>(c.m), static_cast<long long>(c.n), static_cast<long long>(c.k),
                  static_cast<long long>(c.bits), static_cast<long long>(c.group_size),
                  static_cast<long long>(c.activation), threads);
  }
}

PackedMatrix pack(const Case& c, const GemmKernel& kernel) {
  if (c.kind == Kind::kFloats) return {kernel, contiguous(c.weight.data(), size(c.n), size(c.k)), or_null(c.bias)};
  QuantizedView view;
  view.data = contiguous(c.codes.data(), size(c.n), c.codes.size() / size(c.n));
  view.columns = size(c.k);
  view.bits = static_cast<int>(c.bits);
  view.group_size = size(c.group_size);
  view.scales = c.scales.data();
  view.zero_points = or_null(c.zero_points);
  return {kernel, view, or_null(c.bias)};
}

LinearInput input_of(const Case& c) {
  LinearInput input;
  if (c.x_codes.empty()) {
    input.values = contiguous(c.x.data(), size(c.m), size(c.k));
  } else {
    input.codes = contiguous(c.x_codes.data(), size(c.m), size(c.k));
    input.scale = StaticScale{c.x_scale[0], 0};
  }
  return input;
}

void try_dense(const Case& c) {
  const WeightType type =
      c.kind == Kind::kFloats ? WeightType::kF32 : PackedMatrix::type_for_bits(static_cast<int>(c.bits));
  const Compute compute = c.kind == Kind::kCodes ? Compute::kIntegers : Compute::kFloats;
  for (const GemmKernel& kernel : gemm_kernels()) {
    if (kernel.layout.type != type || kernel.compute() != compute) continue;
    const PackedMatrix packed = pack(c, kernel);
    try_row(c, kernel, [&](MatrixView<float> y) {
      LinearOutput output;
      output.activation = static_cast<Activation>(c.activation);
      output.residual = contiguous(or_null(c.residual), size(c.m), size(c.n));
      if (c.y_scale.empty()) {
        output.values = y;
        return gemm(input_of(c), packed, output);
      }
      std::vector<std::int8_t> codes(size(c.m * c.n));
      output.codes = contiguous(codes.data(), size(c.m), size(c.n));
      output.scale = StaticScale{c.y_scale[0], 0};
      gemm(input_of(c), packed, output);
      std::copy(codes.begin(), codes.end(), y.data);
    });
  }
}

template <typename Value>
void try_sparse(const Case& c, SparseValue type, const Value* values) {
  const CsrView<Value, std::int32_t> view{values,           c.indices.data(), c.indptr.data(),
                                          c.indices.size(), size(c.n),        size(c.k)};
  for (const SparseKernel& kernel : sparse_kernels()) {
    if (kernel.value != type) continue;
    const PackedCsr packed(kernel, view, or_null(c.scales), or_null(c.bias));
    try_row(c, kernel, [&](MatrixView<float> y) {
      spmm(contiguous(c.x.data(), size(c.m), size(c.k)), packed, static_cast<Activation>(c.activation), y);
    });
  }
}

void try_case(const Case& c) {
  if (c.kind == Kind::kSparseFloats) return try_sparse(c, SparseValue::kF32, c.weight.data());
  if (c.kind == Kind::kSparseCodes)
    return try_sparse(c, SparseValue::kS8, reinterpret_cast<const std::int8_t*>(c.codes.data()));
  try_dense(c);
}

// Their answers are times; here they need only run.
void try_probes() {
  const std::vector<std::byte> bytes(4096);
  for (const Probe& probe : probes()) {
    Count& count = count_of(probe);
    if (!count.usable) continue;
    if (probe.int8_rounds != nullptr) time_int8_probe(probe, 10, 1);
    if (probe.float_rounds != nullptr) time_float_probe(probe, 10, 1);
    time_read_probe(probe, bytes.data(), bytes.size(), 1, 1);
    ++count.right;
  }
}

int list_tiles() {
  for (const GemmKernel& kernel : gemm_kernels())
    std::printf("%s: %d %d %d\n", kernel.name, kernel.mr, kernel.layout.nr, kernel.layout.kr);
  return 0;
}

int run_all(const char* path) {
  std::string features;
  for (const std::string& name : feature_names(detected_features())) features += " " + name;
  std::printf("features:%s\nlevel: %s\n", features.c_str(), active_level().name);
  std::ifstream file(path, std::ios::binary);
  for (std::int64_t left = read_number<std::int64_t>(file); left > 0; --left) try_case(read_case(file));
  try_probes();
  int wrong = 0;
  for (const auto& [name, count] : counts) {
    if (count.usable) {
      std::printf("%s: %d right, %d wrong\n", name.c_str(), count.right, count.wrong);
    } else {
      std::printf("%s: not on this CPU\n", name.c_str());
    }
    wrong += count.wrong;
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace neon

int main(int argc, char** argv) try {
  return argc == 2 ? neon::run_all(argv[1]) : neon::list_tiles();
} catch (const std::exception& error) {
  std::printf("%s\n", error.what());
  return 2;
}
