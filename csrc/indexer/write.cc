// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/write.h"

namespace crfs {

namespace {

// Bit 63, which no plain file system sets, and 39 bits of the layer's key above the 24 that count inodes.
uint64_t InoBase(const Digest &key) {
  uint64_t word;
  memcpy(&word, key.data(), sizeof word);
  return 1ull << 63 | (word & ((1ull << 39) - 1)) << 24;
}

// Whether decoding the blob has to begin at points.
bool HasPoints(const Layer &layer) {
  return layer.places == &layer.points;
}

crfs_index Header(const Layer &layer, const Numbering &numbering, const IndexSummary &summary) {
  crfs_index header = {};
  uint64_t end = sizeof header;
  auto table = [&](size_t count, size_t record_bytes) {
    crfs_table table = {(end + 7) / 8 * 8, count};
    end = table.offset + count * record_bytes;
    return table;
  };
  header.magic = CRFS_INDEX_MAGIC;
  header.version = CRFS_INDEX_VERSION;
  header.probes = numbering.probes;
  memcpy(header.key, summary.key.data(), sizeof header.key);
  header.ino_base = InoBase(summary.key);
  header.blob_used = numbering.blob_used;
  header.prefetch_end = layer.PrefetchEnd();
  header.content_size = summary.content_size;
  header.hash_seed = numbering.seed;
  header.flags = summary.unverified ? CRFS_INDEX_UNVERIFIED : 0;
  header.inodes = table(numbering.inodes, sizeof(crfs_inode));
  header.dirents = table(numbering.dirents.Count(), sizeof(crfs_dirent));
  header.chunks = table(numbering.chunks.Count(), sizeof(crfs_chunk));
  header.digests = table(layer.contents.digests.Count(), sizeof(Digest));
  header.xattrs = table(layer.xattrs.Count(), sizeof(crfs_xattr));
  header.slots = table(numbering.slots.Count(), sizeof(crfs_slot));
  header.strings = table(layer.tree.strings.Count(), 1);
  if (HasPoints(layer)) {
    header.points = table(layer.points.List().Count(), sizeof(crfs_point));
    header.windows = table(layer.points.Windows().Left(), 1);
  }
  header.file_size = end;
  return header;
}

crfs_inode Inode(const Node &node) {
  crfs_inode inode = {};
  inode.size = node.IsRegular() || S_ISLNK(node.mode) ? node.size : 0;
  inode.mtime_sec = node.seconds;
  inode.mtime_nsec = node.nanoseconds;
  inode.mode = node.mode;
  inode.uid = node.uid;
  inode.gid = node.gid;
  inode.nlink = node.nlink;
  inode.xattr_first = node.xattr_first;
  inode.xattr_count = node.xattr_count;
  inode.dirent = node.dirent;
  if (S_ISCHR(node.mode) || S_ISBLK(node.mode)) {
    inode.u.rdev.major = node.first;
    inode.u.rdev.minor = node.count;
    return inode;
  }
  inode.first = node.first;
  inode.count = node.count;
  if (node.IsRegular()) {
    inode.flags = node.flags;
    memcpy(inode.u.key, node.key, sizeof inode.u.key);
  }
  return inode;
}

void WriteDirents(Output &output, const Tree &tree, const Numbering &numbering) {
  for (uint32_t number : numbering.dirents) {
    const Node &node = tree.nodes[number], &file = node.IsHardlink() ? tree.nodes[node.first] : node;
    output.Record(crfs_dirent{node.path, node.inode, node.path_length, node.name_length,
                              static_cast<uint8_t>((file.mode & S_IFMT) >> 12)}); // DT_* of dirent.h
  }
}

void WriteChunks(Output &output, const Layer &layer, const Numbering &numbering) {
  for (const ChunkRecord &record : numbering.chunks) {
    const Chunk &chunk = layer.contents.chunks[record.chunk];
    output.Record(
        crfs_chunk{chunk.offset, record.end, chunk.inner, chunk.file_offset, chunk.size, chunk.digest, record.inode});
  }
}

void WriteSlots(Output &output, const Numbering &numbering) {
  for (uint32_t dirent : numbering.slots)
    output.Record(crfs_slot{dirent == 0 ? 0 : numbering.tags[dirent - 1], dirent});
}

} // namespace

uint64_t WriteIndex(Output &output, const Layer &layer, const Numbering &numbering, const IndexSummary &summary,
                    uint32_t codec) {
  crfs_index header = Header(layer, numbering, summary);
  header.codec = codec;
  output.Record(header);
  for (const Node &node : layer.tree.nodes)
    if (!node.IsHardlink())
      output.Record(Inode(node));
  output.Align();
  WriteDirents(output, layer.tree, numbering);
  output.Align();
  WriteChunks(output, layer, numbering);
  output.Write(layer.contents.digests.begin(), layer.contents.digests.Count() * sizeof(Digest));
  output.Write(layer.xattrs.begin(), layer.xattrs.Count() * sizeof(crfs_xattr));
  WriteSlots(output, numbering);
  output.Write(layer.tree.strings.begin(), layer.tree.strings.Count());
  if (HasPoints(layer)) {
    output.Align();
    output.Write(layer.points.List().begin(), layer.points.List().Count() * sizeof(crfs_point));
    output.Copy(layer.points.Windows());
  }
  return header.file_size;
}

} // namespace crfs
