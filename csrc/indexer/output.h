// SPDX-License-Identifier: GPL-3.0-or-later

// A file that is written once, from front to back.

#ifndef CRFS_OUTPUT_H
#define CRFS_OUTPUT_H

#include "indexer/digest.h"
#include "indexer/file-range.h"

#include <cstdint>
#include <string>
#include <vector>

namespace crfs {

class Output {
public:
  // Creates the file, which must not exist, for its owner alone.
  explicit Output(const std::string &path);
  // Removes the file, unless it was sealed.
  ~Output();

  void Write(const void *bytes, size_t length);
  template <typename T>
  void Record(const T &record) {
    Write(&record, sizeof record);
  }
  // Writes what a part of another file holds.
  void Copy(FileRange from);
  // Writes zeros, up to a multiple of 8.
  void Align();
  // All is there. False: not all could be written.
  bool Finish(Digest &digest);
  // Nobody shall write to the file from now on: it stays.
  bool Seal();
  // Open on the file.
  int Fd() const {
    return fd_;
  }

private:
  void Flush();

  const std::string path_;
  const int fd_;
  bool ok_, sealed_ = false;
  uint64_t written_ = 0;
  std::vector<char> block_;
  size_t filled_ = 0;
  Sha256 sha256_;
};

} // namespace crfs

#endif
