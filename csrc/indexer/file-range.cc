// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/file-range.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace crfs {

bool FileRange::Read(void *into, size_t room, size_t &length) {
  const size_t want = static_cast<size_t>(std::min<uint64_t>(room, Left()));
  for (length = 0; length < want;) {
    ssize_t got = pread(fd_, static_cast<char *>(into) + length, want - length, static_cast<off_t>(at_));
    if (got == 0 || (got < 0 && errno != EINTR))
      return false;
    length += got > 0 ? static_cast<size_t>(got) : 0;
    at_ += got > 0 ? static_cast<uint64_t>(got) : 0;
  }
  return true;
}

} // namespace crfs
