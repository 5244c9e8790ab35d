// SPDX-License-Identifier: GPL-3.0-or-later

// The content of regular files: where its chunks lie in the blob, and how to check them. As src/main/index/contents.ts,
// for layers whose chunks come in the order of their files.

#ifndef CRFS_CONTENTS_H
#define CRFS_CONTENTS_H

#include "indexer/column.h"
#include "indexer/entry.h"
#include "indexer/tree.h"

namespace crfs {

struct Chunk {
  uint64_t offset; // of the gzip member in the blob
  uint64_t inner;  // where the chunk starts in the member's output
  uint64_t file_offset;
  uint64_t size;
  uint32_t digest; // 1 + its number, or 0: it has none
};

class Contents {
public:
  Contents(Column<Node> &nodes, uint64_t content_end, const std::string &blob_identity)
      : nodes_(nodes), content_end_(content_end), blob_identity_(blob_identity) {}

  // Each returns false for what does not fit to what came before, or not simply.
  bool AddFile(uint32_t node, const Entry &entry);
  // A chunk of the file that came last.
  bool AddChunk(const Entry &entry);
  // Something else starts at this offset of the blob; 0 is none.
  bool AddOffset(uint64_t offset);
  // The file that came last has all its chunks.
  bool Close();

  // Whether some file has no digest that its bytes could be checked against.
  bool Unverified() const {
    return unverified_;
  }
  size_t Memory() const {
    return chunks.Memory() + digests.Memory() + other_offsets.Memory();
  }

  Column<Chunk> chunks;
  Column<Digest> digests;
  Column<uint64_t> other_offsets;

private:
  bool KeyOfOnlyChunk(const Chunk &chunk, const Entry &entry);
  bool KeyOfChunks(uint32_t first);
  bool KeyOfDigests(uint32_t first);
  bool KeyOfPlaces(const Chunk *first, size_t count);
  bool SetDigest(const Digest &digest);
  bool AddDigest(const Digest &digest);

  Column<Node> &nodes_;
  const uint64_t content_end_;
  const std::string &blob_identity_;
  Sha256 sha256_;
  bool unverified_ = false;
  // The file whose chunks are coming in: its node, or 0; and what its entry told of it.
  uint32_t file_ = 0;
  bool has_digest_ = false;
  Digest digest_;
};

} // namespace crfs

#endif
