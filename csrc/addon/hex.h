// SPDX-License-Identifier: GPL-3.0-or-later

#ifndef CRFS_HEX_H
#define CRFS_HEX_H

#include <napi.h>

#include "indexer/digest.h"

namespace crfs {

// A digest in hexadecimal digits.
inline Napi::String Hex(Napi::Env env, const Digest &digest) {
  static const char digits[] = "0123456789abcdef";
  std::string hex;
  for (uint8_t byte : digest) {
    hex.push_back(digits[byte >> 4]);
    hex.push_back(digits[byte & 0xf]);
  }
  return Napi::String::New(env, hex);
}

} // namespace crfs

#endif
