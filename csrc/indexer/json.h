// SPDX-License-Identifier: GPL-3.0-or-later

// A reader of JSON (RFC 8259) that takes what encoders of TOCs write, and nothing else: whole numbers, texts of UTF-8.
// Each function takes something from the front of the text, white space before it included; false: something else
// stands there.

#ifndef CRFS_JSON_H
#define CRFS_JSON_H

#include <cstdint>
#include <string>

namespace crfs {

class Json {
public:
  Json(const char *at, const char *end) : at_(at), end_(end) {}

  // Where it stands.
  const char *At() const {
    return at_;
  }
  const char *End() const {
    return end_;
  }
  // Whether something failed since the text ends here, or may go on.
  bool Short() const {
    return short_;
  }

  // The next character, which stays. Of no text: 0.
  char Next();
  bool Take(char c);
  bool Null();
  // A number from 0 to 2^53 - 1.
  bool Number(uint64_t &value);
  // Holds no NUL.
  bool Text(std::string &value);
  // Some text, number, true, false or null.
  bool SkipScalar();

private:
  bool Word(const char *word);
  bool Escape(std::string &value);
  bool Hex(uint32_t &unit);
  bool Fail(bool is_short) {
    short_ |= is_short;
    return false;
  }

  const char *at_;
  const char *end_;
  bool short_ = false;
  std::string skipped_;
};

} // namespace crfs

#endif
