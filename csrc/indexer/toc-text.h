// SPDX-License-Identifier: GPL-3.0-or-later

// The JSON text of an eStargz TOC, out of its gzip'ed tar of one file (eStargz specification, "TOC"), piece by piece.

#ifndef CRFS_TOC_TEXT_H
#define CRFS_TOC_TEXT_H

#include "addon/codec.h"
#include "indexer/digest.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace crfs {

class TocText {
public:
  // Of bytes [start, end) of a file, which stays the caller's.
  TocText(int fd, uint64_t start, uint64_t end);

  // The next bytes of the text, up to ROOM; sets LENGTH, 0 at its end. False: there is something odd about the tar, or
  // it cannot be read.
  bool Read(char *into, size_t room, size_t &length);
  // sha256 of the text, once all of it was read.
  bool Finish(Digest &digest);

private:
  bool Inflate(uint8_t *into, size_t room, size_t &length);
  bool Refill();
  bool ReadHeader();
  bool ReadEnd();

  const int fd_;
  uint64_t at_, end_;     // of what was not read
  uint64_t inflated_ = 0; // bytes so far
  const uint64_t limit_;  // of them
  uint64_t left_ = 0;     // bytes of the text
  uint64_t behind_ = 0;   // bytes between the text and the next block of the tar
  bool begun_ = false;
  std::unique_ptr<Codec> codec_;
  std::vector<uint8_t> input_;
  Step step_ = {};
  Sha256 sha256_;
};

} // namespace crfs

#endif
