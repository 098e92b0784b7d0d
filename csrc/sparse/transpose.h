// Rows to lanes: out[k * lanes + r] = in row r at k, for k in 0 ... columns - 1; lanes beyond the rows hold zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paring {

// lanes a multiple of 4.
void rows_to_lanes(const float* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   float* out);

// Of quantized codes, widened; lanes a multiple of 16.
void rows_to_lanes(const std::int8_t* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   std::int16_t* out);

// The same as code + 128.
void rows_to_lanes(const std::int8_t* in, std::size_t stride, std::size_t rows, std::size_t columns, std::size_t lanes,
                   std::uint8_t* out);

}  // namespace paring
