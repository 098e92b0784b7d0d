// An image as planes of 32-bit words in which every step of a filter finds its neighbours side by side.
//
// Three kinds of word: a float; four bytes of the same place in four channels; four bytes of one channel under four
// neighbouring taps of a row (for depthwise filters and few channels). Bytes are codes + 128.
//
// With padding written out and strides taken apart into phases (as many planes), a step is a plane and a fixed
// distance: position p = output_row * row_words + output_column of all steps moves through all planes alike. Where
// row_words is more than the outputs of a row, the positions between are computed and thrown away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "windows/window_shape.h"

namespace paring {

enum class GridWords : std::uint8_t { kFloats, kChannels, kTaps };

class Grid {
 public:
  // Of one image and group.
  Grid(GridWords words, const WindowShape& shape, std::size_t channels);

  // Pieces that can be filled apart: channels, or four of them.
  std::size_t units() const;
  // Channels of a unit.
  std::size_t unit_channels() const { return words_ == GridWords::kChannels ? 4 : 1; }

  // Writes the planes of a unit into a grid. `planes` are those of the image: one of floats, or unit_channels() of int8
  // codes, null where there is none (which is 0). `padding` is the code of 0.
  void fill(std::size_t unit, const void* const* planes, std::int8_t padding, std::byte* grid) const;

  // In bytes, with what kernels read beyond the last position.
  std::size_t bytes() const;
  // Of each step, in bytes. Steps ascend by channel, tap row, tap (or four of either).
  const std::vector<std::size_t>& offsets() const { return offsets_; }

  std::size_t positions() const { return positions_; }
  std::size_t row_words() const { return row_words_; }
  std::size_t row_outputs() const { return shape_.columns.out; }

 private:
  // Where the taps of an axis lie: phases are the offsets below the stride that occur.
  struct Phases {
    Phases(const WindowAxis& axis);
    std::size_t index(std::size_t tap) const;  // of the tap's phase
    std::size_t shift(std::size_t tap) const { return tap * dilation / stride; }
    std::vector<std::size_t> offsets;
    std::size_t stride, dilation, most_shift;
  };
  std::size_t plane_bytes() const { return plane_rows_ * row_words_ * 4; }
  std::size_t unit_planes() const;
  void fill_words(const std::uint32_t* row, std::uint32_t padding, std::size_t plane, std::size_t grid_row,
                  std::byte* grid) const;
  void fill_taps(const std::int8_t* row, std::int8_t padding, std::size_t plane, std::size_t grid_row,
                 std::byte* grid) const;
  void find_offsets();
  // Whether a plane of the grid is a plane of the image.
  bool is_plain() const;

  GridWords words_;
  WindowShape shape_;
  std::size_t channels_, tap_quads_;
  Phases rows_, columns_;
  std::size_t plane_rows_, row_words_, positions_;
  std::vector<std::size_t> offsets_;
};

}  // namespace paring
