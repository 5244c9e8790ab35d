// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/output.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace crfs {

namespace {

// Written at once, and at a multiple of itself: src/main/index/output.ts tells why.
constexpr size_t kBlockBytes = 1 << 20;

} // namespace

Output::Output(const std::string &path)
    : path_(path), fd_(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)), ok_(fd_ >= 0),
      block_(kBlockBytes) {}

Output::~Output() {
  if (fd_ < 0)
    return;
  close(fd_);
  if (!sealed_)
    unlink(path_.c_str());
}

void Output::Write(const void *bytes, size_t length) {
  const char *from = static_cast<const char *>(bytes);
  while (length > 0) {
    size_t part = std::min(length, block_.size() - filled_);
    memcpy(block_.data() + filled_, from, part);
    filled_ += part;
    from += part;
    length -= part;
    if (filled_ == block_.size())
      Flush();
  }
}

void Output::Copy(FileRange from) {
  while (ok_ && from.Left() > 0) {
    size_t length;
    ok_ = from.Read(block_.data() + filled_, block_.size() - filled_, length);
    filled_ += length;
    if (filled_ == block_.size())
      Flush();
  }
}

void Output::Align() {
  static const char zeros[8] = {};
  Write(zeros, (8 - (written_ + filled_) % 8) % 8);
}

void Output::Flush() {
  for (size_t done = 0; ok_ && done < filled_;) {
    ssize_t put = pwrite(fd_, block_.data() + done, filled_ - done, static_cast<off_t>(written_ + done));
    ok_ = put > 0 || (put < 0 && errno == EINTR);
    done += put > 0 ? static_cast<size_t>(put) : 0;
  }
  sha256_.Update(block_.data(), filled_);
  written_ += filled_;
  filled_ = 0;
}

bool Output::Finish(Digest &digest) {
  Flush();
  return sha256_.Final(digest) && ok_;
}

bool Output::Seal() {
  sealed_ = fchmod(fd_, 0400) == 0;
  return sealed_;
}

} // namespace crfs
