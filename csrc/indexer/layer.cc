// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/layer.h"

namespace crfs {

namespace {

// src/main/index/layer-tree.ts tells why these are as they are.
constexpr uint64_t kTarHeaderBytes = 512;
constexpr uint64_t kCheckEvery = 32;
constexpr size_t kXattrLimit = 1 << 26, kXattrNamesKept = 1024;

constexpr char kLandmark[] = ".prefetch.landmark", kNoLandmark[] = ".no.prefetch.landmark";
constexpr char kWhiteout[] = ".wh.", kMeta[] = ".wh..wh.";

uint32_t FormatOf(EntryType type) {
  switch (type) {
  case EntryType::kDir:
    return S_IFDIR;
  case EntryType::kReg:
    return S_IFREG;
  case EntryType::kSymlink:
    return S_IFLNK;
  case EntryType::kChar:
    return S_IFCHR;
  case EntryType::kBlock:
    return S_IFBLK;
  case EntryType::kFifo:
    return S_IFIFO;
  default:
    return 0;
  }
}

// Whether the part of the path from AT on hides a name of the layers below.
bool HidesAt(const std::string &path, size_t at) {
  return path.compare(at, sizeof kWhiteout - 1, kWhiteout) == 0 && path.compare(at, sizeof kMeta - 1, kMeta) != 0;
}

// Whether something lies in a directory that is a whiteout.
bool LiesInWhiteout(const std::string &path) {
  for (size_t at = 0, slash; (slash = path.find('/', at)) != std::string::npos; at = slash + 1)
    if (HidesAt(path, at))
      return true;
  return false;
}

bool IsWhiteout(const std::string &path) {
  size_t slash = path.rfind('/');
  return HidesAt(path, slash == std::string::npos ? 0 : slash + 1);
}

} // namespace

bool Layer::Add(const Entry &entry) {
  entries_++;
  if (entries_ * kTarHeaderBytes > request_.content_end * request_.expansion)
    return false;
  if (entries_ % kCheckEvery == 0 && !FitsMemory())
    return false;
  if (entry.type == EntryType::kChunk)
    return contents.AddChunk(entry);
  if (entry.path == kLandmark || entry.path == kNoLandmark) {
    if (entry.path == kLandmark)
      prefetch_end_ = entry.offset;
    else
      prefetch_wanted_ = false;
    return contents.AddOffset(entry.offset);
  }
  uint32_t format = FormatOf(entry.type), node = tree.Put(entry.path, format);
  if (node == Tree::kNone || LiesInWhiteout(entry.path) || (IsWhiteout(entry.path) && !whiteouts_.Add(node)))
    return false;
  tree.nodes[node].mode = format == 0 ? 0 : format | (format == S_IFLNK ? 0777 : entry.mode);
  return format == 0 ? tree.Link(node, entry.link) : Describe(node, entry);
}

bool Layer::End() {
  return contents.Close() && !HidesOwn() && FitsMemory();
}

// Whether a whiteout is to be dropped, as the layer itself has what it hides.
bool Layer::HidesOwn() {
  for (uint32_t number : whiteouts_) {
    const Node &node = tree.nodes[number];
    std::string path(tree.Path(node), node.path_length);
    path.erase(path.size() - node.name_length, sizeof kWhiteout - 1);
    if (path.empty() || path.back() == '/' || tree.Has(path))
      return true;
  }
  return false;
}

bool Layer::Describe(uint32_t number, const Entry &entry) {
  uint32_t target = entry.type == EntryType::kSymlink ? tree.AddString(entry.link) : 0;
  if (target == Tree::kNone)
    return false;
  Node &node = tree.nodes[number];
  node.uid = entry.uid;
  node.gid = entry.gid;
  node.seconds = entry.time.seconds;
  node.nanoseconds = entry.time.nanoseconds;
  node.xattr_first = static_cast<uint32_t>(xattrs.Count());
  node.xattr_count = static_cast<uint32_t>(entry.xattr_count);
  if (entry.type == EntryType::kSymlink) {
    node.first = target;
    node.size = entry.link.size();
  } else if (entry.type == EntryType::kChar || entry.type == EntryType::kBlock) {
    node.first = entry.major;
    node.count = entry.minor;
  }
  for (size_t i = 0; i < entry.xattr_count; i++)
    if (!AddXattr(entry.xattrs[i]))
      return false;
  return entry.type != EntryType::kReg || contents.AddFile(number, entry);
}

bool Layer::AddXattr(const EntryXattr &xattr) {
  uint32_t name;
  auto kept = xattr_names_.find(xattr.name);
  if (kept != xattr_names_.end())
    name = kept->second;
  else if ((name = tree.AddString(xattr.name)) != Tree::kNone && xattr_names_.size() < kXattrNamesKept)
    xattr_names_.emplace(xattr.name, name);
  uint32_t value = tree.AddString(xattr.value);
  if (name == Tree::kNone || value == Tree::kNone || xattrs.Count() == kXattrLimit)
    return false;
  crfs_xattr record = {};
  record.name = name;
  record.value = value;
  record.value_length = static_cast<uint32_t>(xattr.value.size());
  record.name_length = static_cast<uint16_t>(xattr.name.size());
  return xattrs.Add(record);
}

// Making the index takes half as much again as reading the TOC.
bool Layer::FitsMemory() const {
  size_t memory = tree.Memory() + contents.Memory() + xattrs.Memory() + points.Memory();
  return memory + memory / 2 <= request_.memory_limit;
}

} // namespace crfs
