#include <pybind11/stl.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/kernel_list.h"
#include "bindings/linear_arguments.h"
#include "bindings/overlap.h"
#include "bindings/registers.h"
#include "sparse/csr.h"
#include "sparse/spmm.h"

namespace paring::bindings {
namespace {

constexpr std::size_t kMostInt32 = std::numeric_limits<std::int32_t>::max();

bool is_int64(const py::array& array) { return py::isinstance<py::array_t<std::int64_t>>(array); }

// `data` may be null where the values do not matter.
constexpr std::size_t kMostRows = (std::size_t{1} << 62) - 1;

template <typename Value, typename Index>
CsrView<Value, Index> csr_view(const py::array* data, const py::array& indices, const py::array& indptr,
                               std::size_t rows, std::size_t columns) {
  CsrView<Value, Index> view{};
  view.indices = input<Index>(indices, "indices", 1);
  view.indptr = input<Index>(indptr, "indptr", 1);
  view.stored = static_cast<std::size_t>(indices.size());
  view.rows = rows;
  view.columns = columns;
  if (rows > kMostRows) throw py::value_error("rows: expected fewer than 2**62, got " + std::to_string(rows));
  check_size(indptr, "indptr", rows + 1);
  if (data != nullptr) {
    view.data = input<Value>(*data, "data", 1);
    check_size(*data, "data", view.stored);
  }
  return view;
}

// Calls function(view) with the types that the arrays have.
template <typename Function>
auto with_csr(const py::array& data, const py::array& indices, const py::array& indptr, std::size_t rows,
              std::size_t columns, bool integers, const Function& function) {
  const bool wide = is_int64(indptr);
  if (integers) {
    return wide ? function(csr_view<std::int8_t, std::int64_t>(&data, indices, indptr, rows, columns))
                : function(csr_view<std::int8_t, std::int32_t>(&data, indices, indptr, rows, columns));
  }
  return wide ? function(csr_view<float, std::int64_t>(&data, indices, indptr, rows, columns))
              : function(csr_view<float, std::int32_t>(&data, indices, indptr, rows, columns));
}

template <typename Index>
void check(const py::array& indices, const py::array& indptr, std::size_t rows, std::size_t columns) {
  const auto view = csr_view<float, Index>(nullptr, indices, indptr, rows, columns);
  const py::gil_scoped_release release;
  check_csr(view);
}

template <typename Value, typename Index>
py::tuple gathered(MatrixView<const Value> weight, const std::vector<std::size_t>& counts, const CsrLoops& loops) {
  const auto stored = static_cast<py::ssize_t>(counts.back());
  py::array_t<Value> data(stored);
  py::array_t<Index> indices(stored), indptr(static_cast<py::ssize_t>(counts.size()));
  Value* data_out = data.mutable_data();
  Index *indices_out = indices.mutable_data(), *indptr_out = indptr.mutable_data();
  {
    const py::gil_scoped_release release;
    for (std::size_t r = 0; r < counts.size(); ++r) indptr_out[r] = static_cast<Index>(counts[r]);
    gather_non_zeros(weight, counts, loops, data_out, indices_out);
  }
  return py::make_tuple(data, indices, indptr);
}

template <typename Value>
py::tuple from_dense(const py::array& array, const std::string& isa) {
  const auto weight = input_matrix<Value>(array, "weight");
  const CsrLoops& loops = select(csr_loops(), features_or_active(isa));
  std::vector<std::size_t> counts;
  {
    const py::gil_scoped_release release;
    counts = count_non_zeros(weight, loops);
  }
  const bool wide = counts.back() > kMostInt32 || weight.rows > kMostInt32 || weight.cols > kMostInt32;
  return wide ? gathered<Value, std::int64_t>(weight, counts, loops)
              : gathered<Value, std::int32_t>(weight, counts, loops);
}

void to_dense(const py::array& data, const py::array& indices, const py::array& indptr,
              const std::optional<py::array>& scale, py::array& out) {
  const auto view = output_matrix<float>(out, "out");
  const float* scales = optional_input<float>(scale, "scale", view.rows);
  check_no_overlap(out, "out", data, "data");
  check_no_overlap(out, "out", indices, "indices");
  check_no_overlap(out, "out", indptr, "indptr");
  if (scale) check_no_overlap(out, "out", *scale, "scale");
  with_csr(data, indices, indptr, view.rows, view.cols, scales != nullptr || scale.has_value(), [&](const auto& csr) {
    const py::gil_scoped_release release;
    csr_to_dense(csr, scales, view);
  });
}

// The named kernel, or for an empty name the best active one; it must be for these values and usable here.
const SparseKernel& kernel_for(const std::string& name, SparseValue value) {
  if (name.empty()) return choose_sparse_kernel(value, active_features());
  for (const SparseKernel& kernel : sparse_kernels()) {
    if (name != kernel.name) continue;
    if (kernel.value != value) throw py::value_error("kernel: '" + name + "' is for another kind of weight");
    if (!detected_features().contains(kernel.needs))
      throw py::value_error("kernel: this CPU cannot run '" + name + "'");
    return kernel;
  }
  throw py::value_error("kernel: unknown name '" + name + "'");
}

std::unique_ptr<PackedCsr> pack(const py::array& data, const py::array& indices, const py::array& indptr,
                                const std::optional<py::array>& scale, std::size_t columns,
                                const std::optional<py::array>& bias, const std::string& kernel) {
  if (indptr.ndim() != 1 || indptr.size() == 0) {
    throw py::value_error("indptr: expected one axis of rows + 1 elements, got " + shape_text(indptr));
  }
  const auto rows = static_cast<std::size_t>(indptr.size()) - 1;
  const SparseKernel& row = kernel_for(kernel, scale ? SparseValue::kS8 : SparseValue::kF32);
  const float* scales = optional_input<float>(scale, "scale", rows);
  const float* bias_data = optional_input<float>(bias, "bias", rows);
  return with_csr(data, indices, indptr, rows, columns, scale.has_value(), [&](const auto& csr) {
    const py::gil_scoped_release release;
    return std::make_unique<PackedCsr>(row, csr, scales, bias_data);
  });
}

void run(const PackedCsr& self, const py::array& x, py::array& out, const std::string& activation) {
  const auto [input_view, output_view] = linear_views(x, out, self.k(), self.n());
  const Activation function = activation_named(activation);
  const py::gil_scoped_release release;
  spmm(input_view, self, function, output_view);
}

py::list kernel_rows() {
  py::list rows;
  for (const SparseKernel& kernel : sparse_kernels()) {
    py::dict entry = describe_kernel(kernel, "sparse");
    entry["value_type"] = kernel.value == SparseValue::kF32 ? "f32" : "s8";
    py::list lanes;
    for (const int count : kernel.lanes) {
      if (count > 0) lanes.append(count);
    }
    entry["lanes"] = lanes;
    rows.append(entry);
  }
  return rows;
}

}  // namespace

void register_sparse(py::module_& module) {
  module.def("sparse_kernels", &kernel_rows);
  module.def(
      "check_csr",
      [](const py::array& indices, const py::array& indptr, std::size_t rows, std::size_t columns) {
        is_int64(indptr) ? check<std::int64_t>(indices, indptr, rows, columns)
                         : check<std::int32_t>(indices, indptr, rows, columns);
      },
      py::arg("indices"), py::arg("indptr"), py::arg("rows"), py::arg("columns"));
  module.def(
      "dense_to_csr",
      [](const py::array& weight, const std::string& isa) {
        return is_int8(weight) ? from_dense<std::int8_t>(weight, isa) : from_dense<float>(weight, isa);
      },
      py::arg("weight"), py::kw_only(), py::arg("isa") = "");
  module.def("csr_to_dense", &to_dense, py::arg("data"), py::arg("indices"), py::arg("indptr"), py::arg("scale"),
             py::arg("out"));
  py::class_<PackedCsr>(module, "PackedCsr")
      .def_static("from_csr", &pack, py::arg("data"), py::arg("indices"), py::arg("indptr"), py::arg("scale"),
                  py::arg("columns"), py::arg("bias"), py::kw_only(), py::arg("kernel") = "")
      .def("run", &run, py::arg("x"), py::arg("out"), py::arg("activation"))
      .def_property_readonly("kernel", [](const PackedCsr& self) { return self.kernel().name; })
      .def_property_readonly("nbytes", &PackedCsr::nbytes);
}

}  // namespace paring::bindings
