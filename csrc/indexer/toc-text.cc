// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/toc-text.h"

#include <algorithm>
#include <cstring>

namespace crfs {

namespace {

constexpr uint64_t kBlock = 512; // of a tar
constexpr char kName[] = "stargz.index.json";

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

bool TarText::ReadHeader() {
  uint8_t header[kBlock];
  size_t length;
  if (!tar_.Read(header, sizeof header, length) || length != sizeof header || !IsSummed(header))
    return false;
  bool is_file = header[156] == '0' && memcmp(header, kName, sizeof kName) == 0 && header[345] == 0;
  if (!is_file || !Octal(header + 124, 12, left_))
    return false;
  behind_ = (kBlock - left_ % kBlock) % kBlock;
  return true;
}

bool TarText::Read(char *into, size_t room, size_t &length) {
  if (!begun_ && !ReadHeader())
    return false;
  begun_ = true;
  size_t want = static_cast<size_t>(std::min<uint64_t>(room, left_));
  if (!tar_.Read(into, want, length) || length != want)
    return false;
  left_ -= length;
  sha256_.Update(into, length);
  return true;
}

// Nothing but zeros follows the text, in whole blocks.
bool TarText::ReadEnd() {
  uint8_t rest[4096];
  uint64_t total = 0;
  size_t length;
  do {
    if (!tar_.Read(rest, sizeof rest, length) ||
        std::any_of(rest, rest + length, [](uint8_t byte) { return byte != 0; }))
      return false;
    total += length;
  } while (length > 0);
  return total >= behind_ && (total - behind_) % kBlock == 0;
}

bool TarText::Finish(Digest &digest) {
  return left_ == 0 && ReadEnd() && sha256_.Final(digest);
}

} // namespace crfs
