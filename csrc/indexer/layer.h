// SPDX-License-Identifier: GPL-3.0-or-later

// All that a TOC tells of a layer, taken in entry by entry, as src/main/index/layer-tree.ts does.

#ifndef CRFS_INDEXER_LAYER_H
#define CRFS_INDEXER_LAYER_H

#include "indexer/contents.h"
#include "indexer/indexer.h"
#include "indexer/places.h"
#include "indexer/tree.h"

#include <string>
#include <unordered_map>

namespace crfs {

class Layer {
public:
  explicit Layer(const IndexRequest &request)
      : contents(tree.nodes, request.content_end, request.identity), request_(request) {}

  // False: there is no memory.
  bool Init() {
    return tree.Init();
  }
  // False: the entry does not fit to those before it, or not simply.
  bool Add(const Entry &entry);
  // No entry follows.
  bool End();
  // Bytes [0, PrefetchEnd) of the blob are wanted at start.
  uint64_t PrefetchEnd() const {
    return prefetch_wanted_ ? prefetch_end_ : 0;
  }

  Tree tree;
  Contents contents;
  Column<crfs_xattr> xattrs;
  // What tells where things are in the blob; null: the entries, and each ends where another begins.
  const Places *places = nullptr;
  Points points; // where they are the places

private:
  bool Describe(uint32_t node, const Entry &entry);
  bool AddXattr(const EntryXattr &xattr);
  bool HidesOwn();
  bool FitsMemory() const;

  const IndexRequest &request_;
  uint64_t entries_ = 0;
  uint64_t prefetch_end_ = 0;
  bool prefetch_wanted_ = true;
  Column<uint32_t> whiteouts_;
  std::unordered_map<std::string, uint32_t> xattr_names_; // with their places in the strings
};

} // namespace crfs

#endif
