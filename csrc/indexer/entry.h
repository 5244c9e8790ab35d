// SPDX-License-Identifier: GPL-3.0-or-later

// One entry of a TOC in JSON (eStargz specification, "TOCEntry"), as src/main/formats/json-toc/entry.ts reads it.

#ifndef CRFS_ENTRY_H
#define CRFS_ENTRY_H

#include "indexer/json.h"
#include "indexer/text.h"

#include <string>
#include <vector>

namespace crfs {

enum class EntryType : uint8_t {
  kDir,
  kReg,
  kSymlink,
  kHardlink,
  kChar,
  kBlock,
  kFifo,
  kChunk
};

struct EntryXattr {
  std::string name;
  std::string value;
};

// Made once, and filled anew with each entry.
struct Entry {
  EntryType type;
  std::string path; // clean; of a chunk: nothing
  std::string link; // of a symlink: as it is; of a hardlink: clean
  uint32_t mode;    // permission bits
  uint32_t uid, gid;
  Time time;
  uint32_t major, minor;
  size_t xattr_count;
  std::vector<EntryXattr> xattrs; // the first xattr_count of them
  uint64_t size, offset, inner_offset, chunk_offset, chunk_size;
  bool has_digest, has_chunk_digest;
  Digest digest, chunk_digest;
};

class EntryReader {
public:
  // Takes an entry from the front of the text. False: there is something in it that TOCs seldom have, or the text is
  // short.
  bool Read(Json &json, Entry &entry);

private:
  struct Texts {
    std::string name, type, link, time, digest, chunk_digest;
  };
  struct Numbers {
    uint64_t mode, uid, gid, major, minor;
  };

  bool ReadField(Json &json, Entry &entry);
  bool ReadXattrs(Json &json, Entry &entry);
  bool Check(Entry &entry);
  bool CheckLink(Entry &entry);

  std::string key_, value_;
  Texts texts_;
  Numbers numbers_;
};

} // namespace crfs

#endif
