// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/numbering.h"

#include <algorithm>

namespace crfs {

namespace {

constexpr uint64_t kSafe = (1ull << 53) - 1;
// Slots a dirent, at most: paths that do not spread over these were made to collide.
constexpr size_t kSpreadLimit = 16;

// Whether the name of A comes before that of B, by their bytes.
bool NameBefore(const Tree &tree, const Node &a, const Node &b) {
  const char *left = tree.Path(a) + a.path_length - a.name_length;
  const char *right = tree.Path(b) + b.path_length - b.name_length;
  int order = memcmp(left, right, std::min(a.name_length, b.name_length));
  return order < 0 || (order == 0 && a.name_length < b.name_length);
}

void CountLinks(Tree &tree) {
  for (Node &node : tree.nodes)
    if (node.IsDirectory())
      node.count = 0;
  tree.nodes[0].nlink = 2; // its own '.' and '..'
  for (size_t i = 1; i < tree.nodes.Count(); i++) {
    Node &node = tree.nodes[i], &parent = tree.nodes[node.parent];
    parent.count++;
    if (node.IsDirectory()) {
      node.nlink = 2; // its name and its '.'
      parent.nlink++; // its '..'
    } else {
      tree.nodes[node.IsHardlink() ? node.first : i].nlink++;
    }
  }
}

// Gives each directory its row of dirents, sorted.
bool PlaceDirents(Tree &tree, Column<uint32_t> &dirents) {
  uint32_t count = 0;
  for (Node &node : tree.nodes)
    if (node.IsDirectory()) {
      node.first = count;
      count += node.count;
      node.count = 0;
    }
  if (!dirents.Zeroed(count))
    return false;
  for (size_t i = 1; i < tree.nodes.Count(); i++) {
    Node &parent = tree.nodes[tree.nodes[i].parent];
    dirents[parent.first + parent.count++] = static_cast<uint32_t>(i);
  }
  for (const Node &node : tree.nodes)
    if (node.IsDirectory())
      std::sort(dirents.begin() + node.first, dirents.begin() + node.first + node.count,
                [&](uint32_t a, uint32_t b) { return NameBefore(tree, tree.nodes[a], tree.nodes[b]); });
  return true;
}

// Every offset in use, in the tree or not.
bool SortOffsets(const Contents &contents, Column<uint64_t> &offsets) {
  for (const Chunk &chunk : contents.chunks)
    if (!offsets.Add(chunk.offset))
      return false;
  if (!offsets.Append(contents.other_offsets.begin(), contents.other_offsets.Count()))
    return false;
  std::sort(offsets.begin(), offsets.end());
  return true;
}

// The smallest one above OFFSET; UINT64_MAX: none is.
uint64_t OffsetBehind(const Column<uint64_t> &offsets, uint64_t offset) {
  const uint64_t *behind = std::upper_bound(offsets.begin(), offsets.end(), offset);
  return behind == offsets.end() ? UINT64_MAX : *behind;
}

// Returns the probes that the furthest dirent takes, or more than the limit.
uint32_t Insert(const Column<uint32_t> &places, Column<uint32_t> &slots) {
  size_t mask = slots.Count() - 1;
  uint32_t probes = 1;
  for (size_t i = 0; i < places.Count() && probes <= CRFS_PROBE_LIMIT; i++) {
    uint32_t tried = 1;
    size_t slot = places[i] & mask;
    for (; slots[slot] != 0; tried++)
      slot = (slot + 1) & mask;
    slots[slot] = static_cast<uint32_t>(i + 1);
    probes = std::max(probes, tried);
  }
  return probes;
}

} // namespace

bool NumberNodes(Tree &tree, Numbering &numbering) {
  CountLinks(tree);
  for (Node &node : tree.nodes) {
    if (node.IsHardlink())
      continue;
    node.inode = numbering.inodes++;
    if (node.IsRegular()) {
      numbering.files++;
      numbering.content_size += node.size;
      if (numbering.content_size > kSafe)
        return false;
    }
  }
  if (!PlaceDirents(tree, numbering.dirents))
    return false;
  for (size_t i = 0; i < numbering.dirents.Count(); i++) {
    Node &node = tree.nodes[numbering.dirents[i]];
    Node &file = node.IsHardlink() ? tree.nodes[node.first] : node;
    node.inode = file.inode;
    file.dirent = static_cast<uint32_t>(i);
  }
  return true;
}

bool OrderChunks(Tree &tree, const Contents &contents, const Places *places, const IndexRequest &request,
                 Numbering &numbering) {
  const Column<Chunk> &chunks = contents.chunks;
  Column<uint64_t> offsets;
  if (places == nullptr && !SortOffsets(contents, offsets))
    return false;
  Column<uint32_t> files;
  for (size_t i = 0; i < tree.nodes.Count(); i++)
    if (tree.nodes[i].IsRegular() && tree.nodes[i].count > 0 && !files.Add(static_cast<uint32_t>(i)))
      return false;
  std::sort(files.begin(), files.end(), [&](uint32_t a, uint32_t b) {
    const Chunk &x = chunks[tree.nodes[a].first], &y = chunks[tree.nodes[b].first];
    return x.offset != y.offset ? x.offset < y.offset : x.inner != y.inner ? x.inner < y.inner : a < b;
  });
  for (uint32_t file : files) {
    Node &node = tree.nodes[file];
    uint32_t first = node.first;
    node.first = static_cast<uint32_t>(numbering.chunks.Count());
    for (uint32_t i = first; i < first + node.count; i++) {
      const Chunk &chunk = chunks[i];
      uint64_t decoded = chunk.inner + chunk.size;
      uint64_t end = places != nullptr ? places->EndOf(chunk.offset, decoded) : OffsetBehind(offsets, chunk.offset);
      uint64_t bytes = std::min(end, request.content_end) - chunk.offset;
      if (decoded > bytes * request.expansion || !numbering.chunks.Add({i, node.inode, end}))
        return false;
      numbering.blob_used = std::max(numbering.blob_used, chunk.offset);
    }
  }
  return true;
}

bool FillSlots(const Tree &tree, uint32_t seed, Numbering &numbering) {
  numbering.seed = seed;
  size_t count = numbering.dirents.Count(), slots = 2;
  Column<uint32_t> places;
  for (uint32_t number : numbering.dirents) {
    const Node &node = tree.nodes[number];
    crfs_hash hash = crfs_hash_path(seed, tree.Path(node), node.path_length);
    if (!places.Add(hash.place) || !numbering.tags.Add(hash.tag))
      return false;
  }
  while (slots < count * 2)
    slots *= 2;
  for (; slots <= std::max<size_t>(count * kSpreadLimit, CRFS_PROBE_LIMIT); slots *= 2) {
    if (!numbering.slots.Zeroed(slots))
      return false;
    numbering.probes = Insert(places, numbering.slots);
    if (numbering.probes <= CRFS_PROBE_LIMIT)
      return true;
  }
  return false;
}

} // namespace crfs
