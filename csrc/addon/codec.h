// SPDX-License-Identifier: GPL-3.0-or-later

// Compressed streams, decoded a piece at a time, in memory that does not grow with them.

#ifndef CRFS_CODEC_H
#define CRFS_CODEC_H

#include <cstddef>
#include <cstdint>
#include <memory>

namespace crfs {

// What a step may read and write; it moves both on.
struct Step {
  const uint8_t *in;
  size_t in_left;
  uint8_t *out;
  size_t out_left;
};

class Codec {
public:
  virtual ~Codec() = default;
  // Decodes until there is no input left, or no room. Uses the last byte of a stream only once all of it has come out.
  // Returns what is wrong with the stream, or null.
  virtual const char *Decode(Step &step) = 0;
  // Whether the stream may end here: between two of the parts that it is made of.
  virtual bool Whole() const = 0;

  // Has Decode stop where decoding can begin as well: at the start of what the stream holds, and then at each place
  // that is `span` bytes of output, or more, behind the one before.
  virtual void StopAtPoints(uint64_t span) = 0;
  // The bit of the last byte used at which the point is that Decode stopped at, 1 .. 7, or 0: it is at the byte that
  // follows; -1: Decode did not stop for a point.
  virtual int PointBit() const = 0;
  // Copies what was decoded before the point that Decode stopped at, as far as is needed to begin there. Returns its
  // bytes, up to kWindowSize.
  virtual size_t CopyWindow(uint8_t *out) = 0;
};

// A point in the midst of a gzip member at which decoding can begin: where a block of deflate does.
struct Restart {
  unsigned bit;          // of the first byte, 0 .. 7
  const uint8_t *window; // what is decoded just before
  size_t window_size;    // up to kWindowSize
};
constexpr size_t kWindowSize = 32768;

// Null: there is no memory.
std::unique_ptr<Codec> NewGunzip(); // gunzip.cc
std::unique_ptr<Codec> NewGunzipAt(const Restart &restart);
std::unique_ptr<Codec> NewUnzstd(bool any_window); // unzstd.cc

} // namespace crfs

#endif
