// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/tree.h"

#include <cerrno>
#include <sys/random.h>

namespace crfs {

namespace {

constexpr size_t kFirstSlots = 1 << 14;
// Parents that a layer may leave out: some, and some more for each entry.
constexpr uint64_t kFreeParents = 1 << 16, kParentsPerEntry = 4;

uint32_t Place(uint32_t state) {
  uint32_t place = state ^ state >> 16;
  place *= 0x7feb352du;
  return place ^ place >> 15;
}

} // namespace

bool Tree::Init() {
  ssize_t got;
  do
    got = getrandom(&seed_, sizeof seed_, 0);
  while (got < 0 && errno == EINTR);
  Node root = {};
  root.mode = S_IFDIR | 0755;
  return got == sizeof seed_ && slots_.Zeroed(kFirstSlots) && nodes.Add(root);
}

void Tree::Load(const std::string &path) {
  path_ = &path;
  uint32_t state = seed_ ^ 0x811c9dc5u;
  for (size_t i = 0; i < path.size(); i++) {
    if (path[i] == '/')
      states_[i] = state;
    state = (state ^ static_cast<uint8_t>(path[i])) * 0x01000193u;
  }
  states_[path.size()] = state;
}

// Of the first LENGTH bytes of the loaded path: their slot, or the empty one that would be theirs.
uint32_t *Tree::Slot(size_t length) {
  size_t mask = slots_.Count() - 1;
  uint32_t state = states_[length];
  for (size_t slot = Place(state) & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0)
      return &slots_[slot];
    const Node &node = nodes[slots_[slot] - 1];
    if (node.hash == state && node.path_length == length && memcmp(Path(node), path_->data(), length) == 0)
      return &slots_[slot];
  }
}

uint32_t Tree::Find(size_t length) {
  return length == 0 ? 0 : *Slot(length) - 1; // kNone is 0 - 1
}

uint32_t Tree::Put(const std::string &path, uint32_t format) {
  Load(path);
  size_t length = path.size();
  uint32_t there = Find(length);
  if (there != kNone)
    return format == S_IFDIR && nodes[there].IsDirectory() ? there : kNone;
  uint32_t parent = Parent(length);
  uint32_t node = parent == kNone ? kNone : Insert(parent, length);
  return node == kNone || AddString(path) == kNone ? kNone
                                                   : node; // where Insert has placed this path, and its parents'
}

bool Tree::Link(uint32_t node, const std::string &target) {
  Load(target);
  uint32_t there = Find(target.size());
  if (there == kNone || nodes[there].IsDirectory() || there == node)
    return false;
  nodes[node].first = nodes[there].IsHardlink() ? nodes[there].first : there;
  return true;
}

uint32_t Tree::AddString(const std::string &bytes) {
  size_t place = strings.Count();
  if (bytes.size() > UINT32_MAX - 1 - place || !strings.Append(bytes.data(), bytes.size()))
    return kNone;
  return static_cast<uint32_t>(place);
}

// The directory that holds the loaded path.
uint32_t Tree::Parent(size_t length) {
  uint16_t missing[CRFS_PATH_LIMIT / 2 + 1];
  size_t count = 0;
  uint32_t parent = 0;
  for (size_t end = length; end > 0;) {
    size_t slash = path_->rfind('/', end - 1);
    end = slash == std::string::npos ? 0 : slash;
    parent = Find(end);
    if (parent != kNone)
      break;
    missing[count++] = static_cast<uint16_t>(end);
  }
  made_parents_ += static_cast<uint32_t>(count);
  if (!nodes[parent].IsDirectory() ||
      made_parents_ > kFreeParents + kParentsPerEntry * (nodes.Count() + count - made_parents_))
    return kNone;
  while (count > 0 && parent != kNone)
    parent = Insert(parent, missing[--count]);
  return parent;
}

// Adds a directory for the first LENGTH bytes of the loaded path, which are about to be added to the strings.
uint32_t Tree::Insert(uint32_t parent, size_t length) {
  if (nodes.Count() == CRFS_INODE_LIMIT || (nodes.Count() * 2 >= slots_.Count() && !GrowSlots()))
    return kNone;
  size_t above = nodes[parent].path_length;
  Node node = {};
  node.mode = S_IFDIR | 0755;
  node.path = static_cast<uint32_t>(strings.Count());
  node.path_length = static_cast<uint16_t>(length);
  node.name_length = static_cast<uint8_t>(length - (above == 0 ? 0 : above + 1));
  node.parent = parent;
  node.hash = states_[length];
  uint32_t number = static_cast<uint32_t>(nodes.Count());
  uint32_t *slot = Slot(length);
  if (!nodes.Add(node))
    return kNone;
  *slot = number + 1;
  return number;
}

bool Tree::GrowSlots() {
  Column<uint32_t> grown;
  if (!grown.Zeroed(slots_.Count() * 2))
    return false;
  size_t mask = grown.Count() - 1;
  for (uint32_t entry : slots_) {
    if (entry == 0)
      continue;
    size_t slot = Place(nodes[entry - 1].hash) & mask;
    while (grown[slot] != 0)
      slot = (slot + 1) & mask;
    grown[slot] = entry;
  }
  slots_.Swap(grown);
  return true;
}

} // namespace crfs
