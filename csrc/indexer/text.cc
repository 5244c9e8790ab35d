// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/text.h"
#include "shared/index.h"

#include <cstring>

namespace crfs {

namespace {

// The number that the digits in LENGTH bytes spell; -1: they are none.
int Digits(const char *text, int length) {
  int value = 0;
  for (int i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9')
      return -1;
    value = value * 10 + text[i] - '0';
  }
  return value;
}

int DaysIn(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && is_leap);
}

// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that start in March.
int64_t DaysTo(int year, int month, int day) {
  int years = month > 2 ? year : year - 1;
  int day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
  return int64_t{years} * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 719468;
}

// The values of digits, by their characters; -1: it is none.
std::array<int8_t, 256> Values(const char *digits) {
  std::array<int8_t, 256> values;
  values.fill(-1);
  for (int8_t i = 0; digits[i] != '\0'; i++)
    values[static_cast<uint8_t>(digits[i])] = i;
  return values;
}

const std::array<int8_t, 256> kHex = Values("0123456789abcdef");
const std::array<int8_t, 256> kBase64 = Values("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

} // namespace

bool CleanPath(const std::string &name, std::string &path) {
  path.clear();
  for (size_t start = 0; start < name.size();) {
    size_t end = std::min(name.find('/', start), name.size()), length = end - start;
    const char *part = name.data() + start;
    start = end + 1;
    if (length == 0 || (length == 1 && part[0] == '.'))
      continue;
    if (length > CRFS_NAME_LIMIT || (length == 2 && part[0] == '.' && part[1] == '.'))
      return false;
    if (!path.empty())
      path.push_back('/');
    path.append(part, length);
  }
  return path.size() <= CRFS_PATH_LIMIT;
}

bool ParseTime(const std::string &text, Time &time) {
  const char *t = text.c_str(); // holds no NUL: so that it ends before anything is read behind it
  if (text.size() < sizeof "0000-00-00T00:00:00" || t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' ||
      t[16] != ':' || text.back() != 'Z')
    return false;
  int year = Digits(t, 4), month = Digits(t + 5, 2), day = Digits(t + 8, 2);
  int hour = Digits(t + 11, 2), minute = Digits(t + 14, 2), second = Digits(t + 17, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > DaysIn(year, month))
    return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return false;
  time.seconds = DaysTo(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  time.nanoseconds = 0;
  int digits = static_cast<int>(text.size()) - static_cast<int>(sizeof "0000-00-00T00:00:00.Z" - 1);
  if (digits < 0)
    return text.size() == sizeof "0000-00-00T00:00:00Z" - 1;
  int fraction = digits > 9 ? -1 : Digits(t + 20, digits);
  if (digits == 0 || fraction < 0 || t[19] != '.')
    return false;
  for (int i = digits; i < 9; i++)
    fraction *= 10;
  time.nanoseconds = static_cast<uint32_t>(fraction);
  return true;
}

bool ParseDigest(const std::string &text, Digest &digest) {
  const size_t prefix = sizeof "sha256:" - 1;
  if (text.size() != prefix + 2 * digest.size() || text.compare(0, prefix, "sha256:") != 0)
    return false;
  for (size_t i = 0; i < digest.size(); i++) {
    int high = kHex[static_cast<uint8_t>(text[prefix + 2 * i])],
        low = kHex[static_cast<uint8_t>(text[prefix + 2 * i + 1])];
    if (high < 0 || low < 0)
      return false;
    digest[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool ParseBase64(const std::string &text, std::string &bytes) {
  bytes.clear();
  if (text.size() % 4 != 0)
    return false;
  size_t padding = text.empty() || text.back() != '=' ? 0 : text[text.size() - 2] == '=' ? 2 : 1;
  uint32_t bits = 0;
  int count = 0; // of bits that are left
  for (size_t i = 0; i < text.size() - padding; i++) {
    int digit = kBase64[static_cast<uint8_t>(text[i])];
    if (digit < 0)
      return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count));
      bits &= (1u << count) - 1;
    }
  }
  return bits == 0;
}

} // namespace crfs
