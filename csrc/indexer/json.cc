// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/json.h"

#include <cstring>

namespace crfs {

namespace {

constexpr uint64_t kSafe = (1ull << 53) - 1;

// Whether these are characters of UTF-8 (RFC 3629).
bool IsUtf8(const std::string &text) {
  const auto *at = reinterpret_cast<const unsigned char *>(text.data());
  const unsigned char *end = at + text.size();
  while (at < end) {
    unsigned char c = *at++;
    if (c < 0x80)
      continue;
    int more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
    if (more == 0 || end - at < more)
      return false;
    // Of the second byte: no longer form than is needed, no surrogates, nothing behind U+10FFFF.
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; more--, low = 0x80, high = 0xbf)
      if (*at < low || *at++ > high)
        return false;
  }
  return true;
}

void AppendUtf8(std::string &text, uint32_t code) {
  auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code < 0x80)
    return put(code);
  if (code < 0x800)
    return put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  if (code < 0x10000)
    return put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
}

bool IsSpace(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

} // namespace

char Json::Next() {
  while (at_ < end_ && IsSpace(*at_))
    at_++;
  short_ |= at_ == end_;
  return at_ < end_ ? *at_ : '\0';
}

bool Json::Take(char c) {
  if (Next() != c || at_ == end_)
    return Fail(at_ == end_);
  at_++;
  return true;
}

bool Json::Word(const char *word) {
  Next();
  size_t length = strlen(word);
  if (static_cast<size_t>(end_ - at_) < length)
    return Fail(true);
  if (memcmp(at_, word, length) != 0)
    return false;
  at_ += length;
  return true;
}

bool Json::Null() {
  return Word("null");
}

bool Json::Number(uint64_t &value) {
  Next();
  const char *start = at_;
  value = 0;
  while (at_ < end_ && *at_ >= '0' && *at_ <= '9') {
    value = value * 10 + static_cast<uint64_t>(*at_++ - '0');
    if (value > kSafe)
      return false;
  }
  if (at_ == end_)
    return Fail(true);
  bool is_whole = *at_ != '.' && *at_ != 'e' && *at_ != 'E';
  return at_ > start && is_whole && (*start != '0' || at_ == start + 1);
}

bool Json::Text(std::string &value) {
  value.clear();
  if (!Take('"'))
    return false;
  bool is_ascii = true;
  for (;;) {
    const char *start = at_;
    while (at_ < end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
      is_ascii &= static_cast<unsigned char>(*at_++) < 0x80;
    value.append(start, at_);
    if (at_ == end_)
      return Fail(true);
    char c = *at_++;
    if (c == '"')
      return is_ascii || IsUtf8(value);
    if (c != '\\' || !Escape(value))
      return false;
  }
}

bool Json::Escape(std::string &value) {
  static const char *const escapes = "\"\\/bfnrt", *const meanings = "\"\\/\b\f\n\r\t";
  if (at_ == end_)
    return Fail(true);
  char c = *at_++;
  if (c != 'u') {
    const char *found = c == '\0' ? nullptr : strchr(escapes, c);
    if (found == nullptr)
      return false;
    value.push_back(meanings[found - escapes]);
    return true;
  }
  uint32_t unit, low;
  if (!Hex(unit) || unit == 0)
    return false;
  if (unit >= 0xd800 && unit <= 0xdfff) { // one half of a character; alone, it would stand for a byte that is none
    if (unit >= 0xdc00)
      return false;
    if (end_ - at_ < 2)
      return Fail(true);
    if (*at_++ != '\\' || *at_++ != 'u' || !Hex(low) || low < 0xdc00 || low > 0xdfff)
      return false;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(value, unit);
  return true;
}

// Four hex digits.
bool Json::Hex(uint32_t &unit) {
  if (end_ - at_ < 4)
    return Fail(true);
  unit = 0;
  for (int i = 0; i < 4; i++) {
    char c = *at_++, letter = static_cast<char>(c | 0x20);
    bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (letter < 'a' || letter > 'f'))
      return false;
    unit = unit << 4 | static_cast<uint32_t>(is_digit ? c - '0' : letter - 'a' + 10);
  }
  return true;
}

bool Json::SkipScalar() {
  uint64_t number;
  switch (Next()) {
  case '"':
    return Text(skipped_);
  case 't':
    return Word("true");
  case 'f':
    return Word("false");
  case 'n':
    return Null();
  default:
    return Number(number);
  }
}

} // namespace crfs
