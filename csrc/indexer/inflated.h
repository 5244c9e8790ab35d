// SPDX-License-Identifier: GPL-3.0-or-later

// What a TOC in gzip inflates to, piece by piece, as long as that is in proportion: src/main/formats/toc-bytes.ts.

#ifndef CRFS_INFLATED_H
#define CRFS_INFLATED_H

#include "addon/codec.h"
#include "indexer/file-range.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace crfs {

class Inflated {
public:
  explicit Inflated(FileRange toc);

  // Fills the room, but for the end of the stream, and sets LENGTH. False: the stream is damaged or cut short, holds
  // too much, or cannot be read; and so from then on.
  bool Read(void *into, size_t room, size_t &length);

private:
  bool Fill();
  bool Refill();

  FileRange toc_;
  const uint64_t limit_; // bytes that it may hold
  uint64_t total_ = 0;   // bytes so far
  std::unique_ptr<Codec> codec_;
  bool ok_;
  std::vector<uint8_t> input_;
  Step step_ = {};
};

} // namespace crfs

#endif
