// SPDX-License-Identifier: GPL-3.0-or-later

// Which bytes of a window are needed to begin at its point: blocks copy few of the 32 KiB before them, some 3,000 of a
// usual layer, and a window that is zero elsewhere takes an eighth of the room.

#ifndef CRFS_WINDOW_USE_H
#define CRFS_WINDOW_USE_H

#include "addon/codec.h"

#include <memory>
#include <vector>

namespace crfs {

class WindowUse {
public:
  // Of a point of gzip whose bit in its first byte and window, of SIZE bytes, these are. Null: there is no memory.
  static std::unique_ptr<WindowUse> Begin(unsigned bit, const uint8_t *window, size_t size);

  // Takes what follows in the stream: the byte with the first bit comes first.
  void Follow(const uint8_t *in, size_t length);
  // Nothing that follows can be copied from the window.
  bool Known() const {
    return made_ == kWindowSize || failed_;
  }
  // The window, with zeros for all that nothing was copied from so far.
  std::vector<uint8_t> Needed() const;

private:
  WindowUse(const uint8_t *window, size_t size) : window_(window, window + size), needed_(size) {}

  std::vector<uint8_t> window_;
  std::vector<bool> needed_;
  // Two decoders, each with a window of its own that names its places. Behind the first kWindowSize bytes nothing
  // reaches back to it.
  struct Decoding {
    std::unique_ptr<Codec> codec;
    std::vector<uint8_t> out;
  };
  Decoding low_, high_;
  size_t made_ = 0;
  bool failed_ = false;
};

} // namespace crfs

#endif
