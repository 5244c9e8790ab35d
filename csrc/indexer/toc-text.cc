// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/toc-text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace crfs {

namespace {

constexpr size_t kInputBytes = 1 << 18;
constexpr uint64_t kBlock = 512; // of a tar
constexpr char kName[] = "stargz.index.json";

// src/main/formats/toc-bytes.ts tells why.
constexpr uint64_t kFreeBytes = 1 << 24, kRatioLimit = 100, kTotalLimit = 1ull << 32;

// A field of a header: octal digits, then a space or NUL.
bool Octal(const uint8_t *field, size_t size, uint64_t &value) {
  value = 0;
  size_t i = 0;
  for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
    value = value * 8 + field[i] - '0';
  return i > 0 && i < size && (field[i] == 0 || field[i] == ' ');
}

bool IsSummed(const uint8_t (&header)[kBlock]) {
  uint64_t sum = 8 * ' ', told;
  for (size_t i = 0; i < kBlock; i++)
    sum += i >= 148 && i < 156 ? 0 : header[i];
  return Octal(header + 148, 8, told) && told == sum;
}

} // namespace

TocText::TocText(int fd, uint64_t start, uint64_t end)
    : fd_(fd), at_(start), end_(end),
      limit_(std::min(kTotalLimit, std::max(kFreeBytes, kRatioLimit * (std::min(end, kTotalLimit + start) - start)))),
      codec_(NewGunzip()), input_(kInputBytes) {}

bool TocText::Refill() {
  size_t want = static_cast<size_t>(std::min<uint64_t>(input_.size(), end_ - at_));
  ssize_t got;
  do
    got = pread(fd_, input_.data(), want, static_cast<off_t>(at_));
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return false;
  at_ += static_cast<uint64_t>(got);
  step_.in = input_.data();
  step_.in_left = static_cast<size_t>(got);
  return true;
}

// Fills the room, but for the end of the stream.
bool TocText::Inflate(uint8_t *into, size_t room, size_t &length) {
  step_.out = into;
  step_.out_left = room;
  while (step_.out_left > 0) {
    size_t before = step_.out_left;
    if (codec_->Decode(step_) != nullptr)
      return false;
    if (step_.out_left == before && step_.in_left == 0) {
      if (at_ == end_ && codec_->Whole())
        break;
      if (at_ == end_ || !Refill())
        return false;
    }
  }
  length = room - step_.out_left;
  inflated_ += length;
  return inflated_ <= limit_;
}

bool TocText::ReadHeader() {
  uint8_t header[kBlock];
  size_t length;
  if (!Inflate(header, sizeof header, length) || length != sizeof header || !IsSummed(header))
    return false;
  bool is_file = header[156] == '0' && memcmp(header, kName, sizeof kName) == 0 && header[345] == 0;
  if (!is_file || !Octal(header + 124, 12, left_))
    return false;
  behind_ = (kBlock - left_ % kBlock) % kBlock;
  return true;
}

bool TocText::Read(char *into, size_t room, size_t &length) {
  if (!begun_ && (codec_ == nullptr || !ReadHeader()))
    return false;
  begun_ = true;
  size_t want = static_cast<size_t>(std::min<uint64_t>(room, left_));
  if (!Inflate(reinterpret_cast<uint8_t *>(into), want, length) || length != want)
    return false;
  left_ -= length;
  sha256_.Update(into, length);
  return true;
}

// Nothing but zeros follows the text, in whole blocks.
bool TocText::ReadEnd() {
  uint8_t rest[4096];
  uint64_t total = 0;
  size_t length;
  do {
    if (!Inflate(rest, sizeof rest, length) || std::any_of(rest, rest + length, [](uint8_t byte) { return byte != 0; }))
      return false;
    total += length;
  } while (length > 0);
  return total >= behind_ && (total - behind_) % kBlock == 0;
}

bool TocText::Finish(Digest &digest) {
  return left_ == 0 && ReadEnd() && sha256_.Final(digest);
}

} // namespace crfs
