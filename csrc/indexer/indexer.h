// SPDX-License-Identifier: GPL-3.0-or-later

// The index of a layer out of its TOC, or out of a portable index, natively: what src/main/index/build.ts makes, byte
// for byte, for layers as nearly all are. It takes no others: then nothing is left, and TypeScript is to make the
// index, or to say what is wrong.

#ifndef CRFS_INDEXER_H
#define CRFS_INDEXER_H

#include "indexer/digest.h"

#include <cstdint>
#include <optional>
#include <string>

namespace crfs {

// Where in a portable index (src/main/formats/portable/layout.ts) what is behind its TOC ends.
struct PortableParts {
  uint64_t points_end;
  uint64_t windows_end; // and that of the file
};

struct IndexRequest {
  int toc_fd; // stays the caller's
  uint64_t toc_start, toc_end;
  std::optional<PortableParts> portable; // what holds the TOC is one; else it is a gzip'ed tar of JSON
  uint64_t content_end;                  // where in the blob the layer's content ends
  uint32_t codec;                        // CRFS_CODEC_*
  uint64_t expansion;                    // bytes that one byte of the blob yields at most
  uint64_t memory_limit;                 // bytes that this may take
  std::string path;                      // where to make the file, which must not exist
  std::string identity;                  // tells this blob from all others
};

struct IndexSummary {
  Digest toc_digest, key, index_digest;
  uint32_t inodes, files;
  uint64_t content_size;
  bool unverified;
};

// Any thread; blocks. False: it is none of these layers, or something failed.
bool MakeIndex(const IndexRequest &request, IndexSummary &summary);

} // namespace crfs

#endif
