// SPDX-License-Identifier: GPL-3.0-or-later

// The files of a layer by their paths, as its entries bring them. Takes layers in which each path has one entry, every
// file stands in a directory, and hardlinks come behind what they name; src/main/index/tree.ts takes all others.

#ifndef CRFS_INDEXER_TREE_H
#define CRFS_INDEXER_TREE_H

#include "indexer/column.h"
#include "shared/index.h"

#include <cstdint>
#include <string>
#include <sys/stat.h>

namespace crfs {

// What the layer tells of a path. Node 0 is the root; a directory's number is below those of all that it holds.
struct Node {
  uint64_t size;
  int64_t seconds;
  uint32_t nanoseconds;
  uint32_t mode; // 0: a hardlink
  uint32_t uid, gid;
  uint32_t xattr_first, xattr_count;
  uint32_t path; // its place in the strings
  uint32_t parent;
  uint32_t first;  // as in crfs_inode; of a hardlink: the node of its file; of a device: major
  uint32_t count;  // as in crfs_inode; of a device: minor
  uint32_t hash;   // state of the hash of its path
  uint32_t nlink;  // this one, and those below, once the tree is whole
  uint32_t inode;  // its number in the index
  uint32_t dirent; // one that leads to the inode
  uint16_t path_length;
  uint8_t name_length;
  uint8_t flags; // CRFS_INODE_*
  uint8_t key[32];

  bool IsDirectory() const {
    return S_ISDIR(mode);
  }
  bool IsRegular() const {
    return S_ISREG(mode);
  }
  bool IsHardlink() const {
    return mode == 0;
  }
};

class Tree {
public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // False: there is no memory.
  bool Init();
  // The node for an entry of this type (S_IFMT bits, or 0: a hardlink): a new one, or the directory that is there.
  // Parents that are missing are made. kNone: that does not fit, or not simply.
  uint32_t Put(const std::string &path, uint32_t format);
  // Whether anything is at the path.
  bool Has(const std::string &path) {
    Load(path);
    return Find(path.size()) != kNone;
  }
  // Makes NODE a hardlink to what is at the path. False: no file is.
  bool Link(uint32_t node, const std::string &target);
  // Appends bytes to the strings. kNone: there is no room.
  uint32_t AddString(const std::string &bytes);
  // Gives back what only Put, Has and Link need.
  void Freeze() {
    Column<uint32_t>().Swap(slots_);
  }
  size_t Memory() const {
    return nodes.Memory() + strings.Memory() + slots_.Memory();
  }
  const char *Path(const Node &node) const {
    return &strings[node.path];
  }

  Column<Node> nodes;
  Column<char> strings;

private:
  void Load(const std::string &path);
  uint32_t *Slot(size_t length);
  uint32_t Find(size_t length);
  uint32_t Insert(uint32_t parent, size_t length);
  uint32_t Parent(size_t length);
  bool GrowSlots();

  // The path that was loaded last, and by the length of a prefix that ends before a slash, or of all: the state of its
  // hash.
  const std::string *path_ = nullptr;
  uint32_t states_[CRFS_PATH_LIMIT + 1];
  uint32_t seed_ = 0;
  // 1 + node, or 0: a hash table with open addressing, under a seed that nobody can guess.
  Column<uint32_t> slots_;
  uint32_t made_parents_ = 0;
};

} // namespace crfs

#endif
