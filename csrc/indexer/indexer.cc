// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/indexer.h"
#include "indexer/layer.h"
#include "indexer/portable.h"
#include "indexer/toc-reader.h"
#include "indexer/write.h"

#include <sys/mman.h>

namespace crfs {

namespace {

// No mount may be the first to find out that an index is unsound.
bool IsSound(int fd, uint64_t size) {
  void *map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return false;
  crfs_index_view view;
  bool sound = crfs_index_open(&view, map, size) == nullptr;
  munmap(map, size);
  return sound;
}

// Takes in a TOC in a tar; sets its digest.
bool ReadTar(const IndexRequest &request, Layer &layer, Digest &digest) {
  TarText text(FileRange(request.toc_fd, request.toc_start, request.toc_end));
  return ReadToc(text, [&](const Entry &entry) { return layer.Add(entry); }) && text.Finish(digest);
}

// Writes the index; sets its size. All memory that this takes is free again on return.
bool WriteTo(Output &output, const IndexRequest &request, IndexSummary &summary, uint64_t &size) {
  Layer layer(request);
  const auto read = request.portable ? ReadPortable : ReadTar;
  if (!layer.Init() || !read(request, layer, summary.toc_digest) || !layer.End())
    return false;
  layer.tree.Freeze();
  uint32_t seed;
  memcpy(&seed, summary.toc_digest.data(), sizeof seed);
  Numbering numbering;
  if (!NumberNodes(layer.tree, numbering) ||
      !OrderChunks(layer.tree, layer.contents, layer.places, request, numbering) ||
      !FillSlots(layer.tree, seed, numbering))
    return false;
  summary.key = summary.toc_digest;
  summary.unverified = layer.contents.Unverified();
  Sha256 sha256;
  if (summary.unverified &&
      !sha256.Update(summary.toc_digest.data(), sizeof(Digest)).Update(request.identity).Final(summary.key))
    return false;
  summary.inodes = numbering.inodes;
  summary.files = numbering.files;
  summary.content_size = numbering.content_size;
  size = WriteIndex(output, layer, numbering, summary, request.codec);
  return output.Finish(summary.index_digest);
}

} // namespace

bool MakeIndex(const IndexRequest &request, IndexSummary &summary) {
  Output output(request.path);
  uint64_t size;
  return output.Fd() >= 0 && WriteTo(output, request, summary, size) && IsSound(output.Fd(), size) && output.Seal();
}

} // namespace crfs
