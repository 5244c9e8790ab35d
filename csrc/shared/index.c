/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "shared/index.h"

#include "shared/index-tables.h"
#include "shared/parts.h"

#include <string.h>
#include <sys/stat.h>

#define RECORDS_PER_THREAD (1u << 17) /* 3 ms of work: no shorter than what a busy processor lets a thread wait */

/* Whether TABLE lies in the file, behind *END, which moves behind it. Tables lie in the order of the header, each
 * aligned to 8, none overlapping another. */
static int table_fits(const struct crfs_table *table, size_t record, uint64_t *end, uint64_t file_size) {
  if (table->offset % 8 != 0 || table->offset < *end || table->offset > file_size)
    return 0;
  if (table->count > (file_size - table->offset) / record)
    return 0;
  *end = table->offset + table->count * record;
  return 1;
}

static int is_absent(const struct crfs_table *table) {
  return table->offset == 0 && table->count == 0;
}

static const char *check_header(const struct crfs_index *h, size_t size) {
  if (size < sizeof *h)
    return "index: shorter than its header";
  if (h->magic != CRFS_INDEX_MAGIC)
    return "index: wrong magic";
  if (h->version != CRFS_INDEX_VERSION)
    return "index: unknown version";
  if (h->file_size != size)
    return "index: size differs from its header";
  if (h->codec < CRFS_CODEC_GZIP || h->codec > CRFS_CODEC_NONE)
    return "index: unknown codec";
  uint64_t end = sizeof *h;
  if (!table_fits(&h->inodes, sizeof(struct crfs_inode), &end, size) ||
      !table_fits(&h->dirents, sizeof(struct crfs_dirent), &end, size) ||
      !table_fits(&h->chunks, sizeof(struct crfs_chunk), &end, size) || !table_fits(&h->digests, 32, &end, size) ||
      !table_fits(&h->xattrs, sizeof(struct crfs_xattr), &end, size) ||
      !table_fits(&h->slots, sizeof(struct crfs_slot), &end, size) || !table_fits(&h->strings, 1, &end, size))
    return "index: a table leaves the file";
  const int has_points = h->codec == CRFS_CODEC_GZIP_POINTS || (h->codec == CRFS_CODEC_ZSTD && !is_absent(&h->points));
  if (has_points
          ? !table_fits(&h->points, sizeof(struct crfs_point), &end, size) || !table_fits(&h->windows, 1, &end, size)
          : !is_absent(&h->points) || !is_absent(&h->windows))
    return "index: the points leave the file, or are none of its codec's";
  if (h->inodes.count == 0 || h->inodes.count > CRFS_INODE_LIMIT)
    return "index: number of inodes out of range";
  if (h->dirents.count >= UINT32_MAX || h->chunks.count > UINT32_MAX || h->digests.count >= UINT32_MAX ||
      h->xattrs.count > UINT32_MAX || h->strings.count > UINT32_MAX)
    return "index: a table is too long";
  if (h->slots.count == 0 || (h->slots.count & (h->slots.count - 1)) != 0 || h->slots.count > (1ull << 32))
    return "index: number of hash slots is no power of two";
  if (h->probes == 0 || h->probes > CRFS_PROBE_LIMIT)
    return "index: number of probes out of range";
  if (h->blob_used > INT64_MAX || h->prefetch_end > INT64_MAX)
    return "index: an offset in the blob out of range";
  if ((h->ino_base & (CRFS_INODE_LIMIT - 1)) != 0)
    return "index: base of inode numbers overlaps inodes";
  return NULL;
}

/* The check of one table, by several threads. */
struct pass {
  const struct crfs_index_view *view;
  crfs_check_table *check;
  struct {
    const char *wrong;
    struct crfs_sums sums;
  } found[CRFS_PARTS_LIMIT];
};

static void check_part(void *context, unsigned part, uint64_t first, uint64_t end) {
  struct pass *pass = context;
  struct crfs_sums sums = {0};
  pass->found[part].wrong = pass->check(pass->view, first, end, &sums);
  pass->found[part].sums = sums;
}

/* Returns what one thread would find first. */
static const char *check_table(const struct crfs_index_view *v, uint64_t count, crfs_check_table *check,
                               struct crfs_sums *sums) {
  struct pass pass = {.view = v, .check = check};
  const uint64_t entries = v->header->dirents.count; /* slots are more, but take less time each */
  const unsigned parts = crfs_parts_of(count < entries ? count : entries, RECORDS_PER_THREAD);
  crfs_parts_run(parts, count, check_part, &pass);
  for (unsigned part = 0; part < parts; part++) {
    const struct crfs_sums *found = &pass.found[part].sums;
    sums->named += found->named;
    sums->listed += found->listed;
    sums->filled += found->filled;
    const char *wrong = crfs_check_listed(v, sums);
    if (wrong == NULL)
      wrong = pass.found[part].wrong;
    if (wrong != NULL)
      return wrong;
  }
  return NULL;
}

static const char *check_tables(const struct crfs_index_view *v) {
  const struct crfs_index *h = v->header;
  struct crfs_sums sums = {0};
  const char *wrong;
  if ((wrong = check_table(v, h->dirents.count, crfs_check_dirents, &sums)) != NULL)
    return wrong;
  if (sums.named != h->inodes.count - 1)
    return "index: an inode has no entry";
  if ((v->inodes[0].mode & S_IFMT) != S_IFDIR)
    return "index: the root is no directory";
  if ((wrong = check_table(v, h->points.count, crfs_check_points, &sums)) != NULL)
    return wrong;
  if ((wrong = check_table(v, h->inodes.count, crfs_check_inodes, &sums)) != NULL)
    return wrong;
  if (sums.listed != h->dirents.count)
    return "index: an entry lies in no directory";
  if (sums.filled != h->chunks.count)
    return "index: a chunk belongs to no file";
  if ((wrong = check_table(v, h->xattrs.count, crfs_check_xattrs, &sums)) != NULL)
    return wrong;
  return check_table(v, h->slots.count, crfs_check_slots, &sums);
}

const char *crfs_index_open(struct crfs_index_view *view, const void *map, size_t size) {
  const struct crfs_index *h = map;
  const char *wrong = check_header(h, size);
  if (wrong != NULL)
    return wrong;
  const char *base = map;
  *view = (struct crfs_index_view){
      .header = h,
      .inodes = (const struct crfs_inode *)(base + h->inodes.offset),
      .dirents = (const struct crfs_dirent *)(base + h->dirents.offset),
      .chunks = (const struct crfs_chunk *)(base + h->chunks.offset),
      .digests = (const uint8_t(*)[32])(base + h->digests.offset),
      .xattrs = (const struct crfs_xattr *)(base + h->xattrs.offset),
      .slots = (const struct crfs_slot *)(base + h->slots.offset),
      .strings = base + h->strings.offset,
      .points = (const struct crfs_point *)(base + h->points.offset),
  };
  return check_tables(view);
}

const struct crfs_dirent *crfs_index_find(const struct crfs_index_view *view, const char *path, size_t length) {
  const struct crfs_index *h = view->header;
  struct crfs_hash hash = crfs_hash_path(h->hash_seed, path, length);
  uint64_t mask = h->slots.count - 1;
  for (uint32_t probe = 0; probe < h->probes; probe++) {
    const struct crfs_slot *slot = &view->slots[(hash.place + probe) & mask];
    if (slot->dirent == 0)
      return NULL;
    if (slot->tag != hash.tag)
      continue;
    const struct crfs_dirent *d = &view->dirents[slot->dirent - 1];
    if (d->path_length == length && memcmp(view->strings + d->path, path, length) == 0)
      return d;
  }
  return NULL;
}
