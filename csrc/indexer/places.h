// SPDX-License-Identifier: GPL-3.0-or-later

// Where in a blob things are of what it decodes to: src/main/formats/points.ts.

#ifndef CRFS_PLACES_H
#define CRFS_PLACES_H

#include "indexer/column.h"
#include "indexer/file-range.h"
#include "shared/index.h"

#include <cstdint>

namespace crfs {

class Places {
public:
  virtual ~Places() = default;
  // Where a byte of what the blob decodes to is to be decoded from: an offset in the blob, and how much is decoded
  // before it from there on. False: nowhere.
  virtual bool Locate(uint64_t out, uint64_t &offset, uint64_t &inner) const = 0;
  // Where in the blob all is that the DECODED bytes from OFFSET on take, if Locate has named that: up to there;
  // UINT64_MAX: its end.
  virtual uint64_t EndOf(uint64_t offset, uint64_t decoded) const = 0;
};

// Of a blob that is not compressed.
class AsItIs : public Places {
public:
  bool Locate(uint64_t out, uint64_t &offset, uint64_t &inner) const override {
    offset = out;
    inner = 0;
    return true;
  }
  uint64_t EndOf(uint64_t offset, uint64_t decoded) const override {
    return offset + decoded;
  }
};

// By the points at which decoding can begin, as a portable index has them (src/main/formats/portable/layout.ts).
class Points : public Places {
public:
  // Reads those of a blob of so many bytes and this codec, whose windows are these. False: a rule is broken, they take
  // more bytes of memory than they may, or cannot be read.
  bool Read(FileRange records, FileRange windows, uint64_t blob_size, uint32_t codec, uint64_t memory_limit);

  bool Locate(uint64_t out, uint64_t &offset, uint64_t &inner) const override;
  uint64_t EndOf(uint64_t offset, uint64_t decoded) const override;
  // As TypeScript counts it, which holds the windows, too.
  uint64_t Memory() const;
  const Column<crfs_point> &List() const {
    return points_;
  }
  // Of all points, one behind the other.
  FileRange Windows() const {
    return windows_;
  }

private:
  bool Add(const crfs_point &point, uint64_t blob_size, uint32_t codec);

  Column<crfs_point> points_;
  FileRange windows_{-1, 0, 0};
  uint64_t window_bytes_ = 0;
};

} // namespace crfs

#endif
