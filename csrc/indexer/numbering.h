// SPDX-License-Identifier: GPL-3.0-or-later

// The order of things in the index: csrc/shared/index.h.

#ifndef CRFS_NUMBERING_H
#define CRFS_NUMBERING_H

#include "indexer/contents.h"
#include "indexer/indexer.h"
#include "indexer/places.h"
#include "indexer/tree.h"

namespace crfs {

struct ChunkRecord {
  uint32_t chunk; // its number in the contents
  uint32_t inode;
  uint64_t end; // as in crfs_chunk
};

struct Numbering {
  uint32_t inodes = 0;
  uint32_t files = 0;        // regular ones
  uint64_t content_size = 0; // bytes of them
  Column<uint32_t> dirents;  // the node of each

  Column<ChunkRecord> chunks;
  uint64_t blob_used = 0; // the largest offset of a chunk

  // By slot: 1 + the dirent, or 0.
  Column<uint32_t> slots;
  Column<uint32_t> tags; // of dirents
  uint32_t probes = 0;
  uint32_t seed = 0; // of the hashes
};

// Numbers inodes and dirents; `first` and `count` of directories become their dirents. False: no index can hold that.
bool NumberNodes(Tree &tree, Numbering &numbering);
// Orders the chunks; `first` of a file becomes its first record. Chunks end where PLACES say, or, if null, where
// something else begins. False: a file cannot come out of its bytes of the blob.
bool OrderChunks(Tree &tree, const Contents &contents, const Places *places, const IndexRequest &request,
                 Numbering &numbering);
// Fills the hash table of paths, by hashes with this seed. False: they collide.
bool FillSlots(const Tree &tree, uint32_t seed, Numbering &numbering);

} // namespace crfs

#endif
