// SPDX-License-Identifier: GPL-3.0-or-later

// What texts in a TOC stand for. False: something that TOCs seldom have, or may not have.

#ifndef CRFS_TEXT_H
#define CRFS_TEXT_H

#include "indexer/digest.h"

#include <cstdint>
#include <string>

namespace crfs {

struct Time {
  int64_t seconds; // since 1970
  uint32_t nanoseconds;
};

// A path out of a name, as cleanPath of src/main/formats/names.ts makes it.
bool CleanPath(const std::string &name, std::string &path);
// RFC 3339, of the zone Z.
bool ParseTime(const std::string &text, Time &time);
// sha256: and 64 digits.
bool ParseDigest(const std::string &text, Digest &digest);
// Padded, of the standard alphabet, no bit beside those of the bytes.
bool ParseBase64(const std::string &text, std::string &bytes);

} // namespace crfs

#endif
