// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/portable.h"
#include "indexer/toc-reader.h"

#include <vector>

namespace crfs {

namespace {

constexpr size_t kHashedAtOnce = 1 << 18;

const AsItIs kAsItIs;

// Reads the points, of which a tar that is not compressed has none.
bool ReadPlaces(const IndexRequest &request, Layer &layer) {
  const auto [points_end, windows_end] = *request.portable;
  if (request.codec == CRFS_CODEC_NONE) {
    layer.places = &kAsItIs;
    return windows_end == request.toc_end;
  }
  layer.places = &layer.points;
  // Making the index takes half as much again.
  return layer.points.Read(FileRange(request.toc_fd, request.toc_end, points_end),
                           FileRange(request.toc_fd, points_end, windows_end), request.content_end, request.codec,
                           request.memory_limit * 2 / 3);
}

// Makes the place in the tar one in the blob, and keeps of digests those of chunks alone. False: content has none, or
// it is nowhere.
bool Place(Entry &entry, const Places &places) {
  const bool is_filled = entry.type == EntryType::kChunk || (entry.type == EntryType::kReg && entry.size > 0);
  entry.has_digest = false;
  if (is_filled)
    return entry.has_chunk_digest && places.Locate(entry.offset, entry.offset, entry.inner_offset);
  entry.has_chunk_digest = false;
  entry.offset = entry.inner_offset = 0;
  return true;
}

bool DigestOf(FileRange file, Digest &digest) {
  std::vector<char> bytes(kHashedAtOnce);
  Sha256 sha256;
  while (file.Left() > 0) {
    size_t length;
    if (!file.Read(bytes.data(), bytes.size(), length))
      return false;
    sha256.Update(bytes.data(), length);
  }
  return sha256.Final(digest);
}

} // namespace

bool ReadPortable(const IndexRequest &request, Layer &layer, Digest &digest) {
  if (!ReadPlaces(request, layer))
    return false;
  BareText text(FileRange(request.toc_fd, request.toc_start, request.toc_end));
  const auto add = [&](Entry &entry) { return Place(entry, *layer.places) && layer.Add(entry); };
  return ReadToc(text, add) && text.Finish() &&
         DigestOf(FileRange(request.toc_fd, 0, request.portable->windows_end), digest);
}

} // namespace crfs
