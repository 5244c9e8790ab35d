// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/contents.h"

#include <cinttypes>
#include <cstdio>

namespace crfs {

namespace {

constexpr size_t kChunkLimit = 1 << 26;

} // namespace

bool Contents::AddFile(uint32_t node, const Entry &entry) {
  if (!Close())
    return false;
  file_ = node;
  has_digest_ = entry.has_digest;
  digest_ = entry.digest;
  nodes_[node].size = entry.size;
  nodes_[node].first = static_cast<uint32_t>(chunks.Count());
  return entry.size > 0 ? AddChunk(entry) : AddOffset(entry.offset);
}

bool Contents::AddChunk(const Entry &entry) {
  if (file_ == 0 || chunks.Count() == kChunkLimit)
    return false;
  uint64_t file_size = nodes_[file_].size;
  if (entry.chunk_offset >= file_size)
    return false;
  uint64_t left = file_size - entry.chunk_offset;
  Chunk chunk = {entry.offset, entry.inner_offset, entry.chunk_offset, entry.chunk_size > 0 ? entry.chunk_size : left,
                 0};
  if ((chunk.offset == 0 && chunk.inner == 0) || chunk.offset >= content_end_ || chunk.size > left)
    return false;
  if (chunk.size == file_size) {
    if (!KeyOfOnlyChunk(chunk, entry))
      return false;
  } else if (entry.has_chunk_digest) {
    if (!AddDigest(entry.chunk_digest))
      return false;
    chunk.digest = static_cast<uint32_t>(digests.Count());
  }
  return chunks.Add(chunk);
}

bool Contents::AddOffset(uint64_t offset) {
  return offset == 0 || (other_offsets.Count() < kChunkLimit && other_offsets.Add(offset));
}

bool Contents::Close() {
  if (file_ == 0)
    return true;
  Node &file = nodes_[file_];
  uint64_t covered = 0;
  for (size_t i = file.first; i < chunks.Count(); i++) {
    if (chunks[i].file_offset != covered)
      return false;
    covered += chunks[i].size;
  }
  if (covered != file.size)
    return false;
  uint32_t first = file.first;
  file.count = static_cast<uint32_t>(chunks.Count() - first);
  if (file.size == 0)
    file.first = 0;
  bool ok = file.count == 1 || KeyOfChunks(first);
  file_ = 0;
  return ok;
}

// Of a file that is one chunk: the sha256 of its content, or its place in this blob.
bool Contents::KeyOfOnlyChunk(const Chunk &chunk, const Entry &entry) {
  if (has_digest_ && entry.has_chunk_digest && digest_ != entry.chunk_digest)
    return false;
  if (has_digest_ || entry.has_chunk_digest)
    return SetDigest(has_digest_ ? digest_ : entry.chunk_digest);
  return KeyOfPlaces(&chunk, 1);
}

// Of a file of no chunk, or of several, from FIRST on.
bool Contents::KeyOfChunks(uint32_t first) {
  Node &file = nodes_[file_];
  if (file.size == 0) {
    Digest empty;
    return sha256_.Restart().Final(empty) && (!has_digest_ || digest_ == empty) && SetDigest(empty);
  }
  bool all = true;
  for (size_t i = first; i < chunks.Count(); i++)
    all &= chunks[i].digest != 0;
  if (all) {
    if (has_digest_)
      file.flags |= CRFS_INODE_SUMMED;
    return KeyOfDigests(first) && (!has_digest_ || AddDigest(digest_));
  }
  if (!has_digest_)
    return KeyOfPlaces(&chunks[first], chunks.Count() - first);
  file.flags |= CRFS_INODE_WHOLE;
  return SetDigest(digest_);
}

bool Contents::KeyOfDigests(uint32_t first) {
  static const char start[] = "crfs-chunks"; // with its NUL
  sha256_.Restart().Update(start, sizeof start);
  for (size_t i = first; i < chunks.Count(); i++)
    sha256_.Update(&chunks[i].size, sizeof chunks[i].size).Update(digests[chunks[i].digest - 1].data(), sizeof(Digest));
  Digest key;
  if (!sha256_.Final(key))
    return false;
  memcpy(nodes_[file_].key, key.data(), key.size());
  return true;
}

bool Contents::KeyOfPlaces(const Chunk *first, size_t count) {
  static const char start[] = "crfs-unverified"; // with its NUL
  sha256_.Restart().Update(start, sizeof start).Update(blob_identity_.c_str(), blob_identity_.size() + 1);
  for (const Chunk *chunk = first; chunk < first + count; chunk++) {
    char place[3 * 21 + 3];
    int length = snprintf(place, sizeof place, "%" PRIu64 " %" PRIu64 " %" PRIu64 " 0", chunk->offset, chunk->inner,
                          chunk->size);
    sha256_.Update(place, static_cast<size_t>(length) + 1);
  }
  Digest key;
  if (!sha256_.Final(key))
    return false;
  unverified_ = true;
  memcpy(nodes_[file_].key, key.data(), key.size());
  return true;
}

bool Contents::SetDigest(const Digest &digest) {
  nodes_[file_].flags |= CRFS_INODE_DIGEST;
  memcpy(nodes_[file_].key, digest.data(), digest.size());
  return true;
}

bool Contents::AddDigest(const Digest &digest) {
  return digests.Count() < kChunkLimit && digests.Add(digest);
}

} // namespace crfs
