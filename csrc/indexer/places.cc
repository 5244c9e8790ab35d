// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/places.h"

#include <algorithm>
#include <cstring>
#include <libdeflate.h>
#include <vector>

namespace crfs {

namespace {

constexpr uint64_t kSafe = (1ull << 53) - 1; // no number of TypeScript's is larger
constexpr size_t kRecordsAtOnce = 4096;
constexpr uint64_t kPointBytes = 200; // of memory, beside its window: src/main/formats/points.ts

// A point as it stands in the file; little-endian.
struct Record {
  uint64_t offset;
  uint64_t out;
  uint32_t window_length;
  uint16_t window_size;
  uint8_t bit;
  uint8_t zero; // which nobody reads
};
static_assert(sizeof(Record) == 24, "layout");

bool CanBe(const crfs_point &point, uint32_t codec) {
  if (codec == CRFS_CODEC_ZSTD)
    return point.bit == 0 && point.window_size == 0 && point.window_length == 0;
  static const size_t window_length_limit = libdeflate_gzip_compress_bound(nullptr, CRFS_WINDOW_LIMIT);
  return point.bit <= 7 && point.window_size <= CRFS_WINDOW_LIMIT && point.window_length <= window_length_limit;
}

} // namespace

bool Points::Read(FileRange records, FileRange windows, uint64_t blob_size, uint32_t codec, uint64_t memory_limit) {
  windows_ = windows;
  std::vector<Record> read(kRecordsAtOnce);
  while (records.Left() > 0) {
    size_t length;
    if (!records.Read(read.data(), read.size() * sizeof(Record), length) || length % sizeof(Record) != 0)
      return false;
    for (size_t i = 0; i < length / sizeof(Record); i++) {
      const Record &record = read[i];
      crfs_point point = {record.offset, record.out, window_bytes_, record.window_length, record.window_size,
                          record.bit,    0};
      if (!Add(point, blob_size, codec) || Memory() > memory_limit)
        return false;
    }
  }
  return window_bytes_ == windows.Left();
}

bool Points::Add(const crfs_point &point, uint64_t blob_size, uint32_t codec) {
  if (points_.Count() > 0) {
    const crfs_point &last = points_[points_.Count() - 1];
    if (point.offset <= last.offset || point.out <= last.out)
      return false;
  }
  if (point.offset >= blob_size || point.out > kSafe || !CanBe(point, codec) ||
      point.window_length > windows_.Left() - window_bytes_)
    return false;
  window_bytes_ += point.window_length;
  return points_.Add(point);
}

bool Points::Locate(uint64_t out, uint64_t &offset, uint64_t &inner) const {
  const crfs_point *behind = std::upper_bound(points_.begin(), points_.end(), out,
                                              [](uint64_t at, const crfs_point &p) { return at < p.out; });
  if (behind == points_.begin())
    return false;
  offset = behind[-1].offset;
  inner = out - behind[-1].out;
  return true;
}

uint64_t Points::EndOf(uint64_t offset, uint64_t decoded) const {
  const crfs_point *point = std::lower_bound(points_.begin(), points_.end(), offset,
                                             [](const crfs_point &p, uint64_t at) { return p.offset < at; });
  const uint64_t end = (point == points_.end() ? 0 : point->out) + decoded;
  point = std::lower_bound(points_.begin(), points_.end(), end,
                           [](const crfs_point &p, uint64_t at) { return p.out < at; });
  if (point == points_.end())
    return UINT64_MAX;
  return point->offset + (point->bit > 0 ? 1 : 0); // its byte may hold the last bits before it
}

uint64_t Points::Memory() const {
  return window_bytes_ + points_.Count() * kPointBytes;
}

} // namespace crfs
