// SPDX-License-Identifier: GPL-3.0-or-later

// A part of a file, read from front to back.

#ifndef CRFS_FILE_RANGE_H
#define CRFS_FILE_RANGE_H

#include <cstddef>
#include <cstdint>

namespace crfs {

class FileRange {
public:
  // Bytes [start, end) of a file, which stays the caller's.
  FileRange(int fd, uint64_t start, uint64_t end) : fd_(fd), at_(start), end_(end) {}

  // Bytes that were not read.
  uint64_t Left() const {
    return end_ - at_;
  }
  // Fills the room, or as much of it as there is left to read, and sets LENGTH. False: the file is shorter, or cannot
  // be read.
  bool Read(void *into, size_t room, size_t &length);

private:
  int fd_;
  uint64_t at_;
  uint64_t end_;
};

} // namespace crfs

#endif
