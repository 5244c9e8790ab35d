/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "shared/index.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

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

static unsigned char type_of_mode(uint32_t mode) {
  return (unsigned char)((mode & S_IFMT) >> 12); /* DT_* are the S_IF* of stat, shifted: dirent.h, IFTODT */
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
  uint64_t end = sizeof *h;
  if (!table_fits(&h->inodes, sizeof(struct crfs_inode), &end, size) ||
      !table_fits(&h->dirents, sizeof(struct crfs_dirent), &end, size) ||
      !table_fits(&h->chunks, sizeof(struct crfs_chunk), &end, size) || !table_fits(&h->digests, 32, &end, size) ||
      !table_fits(&h->xattrs, sizeof(struct crfs_xattr), &end, size) ||
      !table_fits(&h->slots, sizeof(struct crfs_slot), &end, size) || !table_fits(&h->strings, 1, &end, size))
    return "index: a table leaves the file";
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

static int range_fits(uint64_t first, uint64_t count, uint64_t limit) {
  return first <= limit && count <= limit - first;
}

/* The chunks of a file are its own, and cover it from 0 to its size: whoever fills in all of them has filled in the
 * file, and nothing else. */
static const char *check_file(const struct crfs_index_view *v, uint32_t number) {
  const struct crfs_inode *i = &v->inodes[number];
  uint64_t covered = 0;
  if (i->size > INT64_MAX)
    return "index: size of a file out of range";
  if (!range_fits(i->first, i->count, v->header->chunks.count))
    return "index: chunks of a file leave their table";
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_chunk *c = &v->chunks[i->first + n];
    if (c->inode != number || c->file_offset != covered || c->size == 0 || c->size > i->size - covered)
      return "index: chunks of a file do not follow each other";
    covered += c->size;
  }
  return covered == i->size ? NULL : "index: chunks of a file do not cover it";
}

/* Whether D stands for a file in the directory whose path has LENGTH bytes: 0 for the root. */
static int lies_in(const struct crfs_index_view *v, const struct crfs_dirent *d, const char *path, uint32_t length) {
  return d->path_length == length + (length != 0) + d->name_length &&
         (length == 0 || memcmp(v->strings + d->path, path, length) == 0);
}

static int names_ascend(const struct crfs_index_view *v, const struct crfs_dirent *a, const struct crfs_dirent *b) {
  const char *left = v->strings + a->path + a->path_length - a->name_length;
  const char *right = v->strings + b->path + b->path_length - b->name_length;
  int order = memcmp(left, right, a->name_length < b->name_length ? a->name_length : b->name_length);
  return order < 0 || (order == 0 && a->name_length < b->name_length);
}

/* Adds to *LISTED the entries of a directory. Expects that entries by themselves, and the directory's own, are right.
 */
static const char *check_directory(const struct crfs_index_view *v, uint32_t number, uint64_t *listed) {
  const struct crfs_inode *i = &v->inodes[number];
  const struct crfs_dirent *own = number == 0 ? NULL : &v->dirents[i->dirent];
  const uint32_t length = own == NULL ? 0 : own->path_length;
  const char *path = own == NULL ? NULL : v->strings + own->path;
  if (!range_fits(i->first, i->count, v->header->dirents.count))
    return "index: entries of a directory leave their table";
  *listed += i->count;
  if (*listed > v->header->dirents.count)
    return "index: an entry lies in two directories";
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_dirent *d = &v->dirents[i->first + n];
    if (!lies_in(v, d, path, length))
      return "index: an entry lies in another directory";
    if (n > 0 && !names_ascend(v, d - 1, d))
      return "index: entries of a directory are not sorted";
  }
  return NULL;
}

static const char *check_inode(const struct crfs_index_view *v, uint32_t number, uint64_t *listed) {
  const struct crfs_index *h = v->header;
  const struct crfs_inode *i = &v->inodes[number];
  if (!range_fits(i->xattr_first, i->xattr_count, h->xattrs.count))
    return "index: xattrs of an inode leave their table";
  if (number != 0 && (i->dirent >= h->dirents.count || v->dirents[i->dirent].inode != number))
    return "index: an inode has no entry";
  if (i->mtime_nsec > 999999999u)
    return "index: nanoseconds out of range";
  if (i->size != 0 && (i->mode & S_IFMT) != S_IFREG && (i->mode & S_IFMT) != S_IFLNK)
    return "index: size of what has no content";
  switch (i->mode & S_IFMT) {
  case S_IFDIR:
    return check_directory(v, number, listed);
  case S_IFREG:
    return check_file(v, number);
  case S_IFLNK:
    return range_fits(i->first, i->size, h->strings.count) ? NULL : "index: a symlink's target leaves the strings";
  case S_IFCHR:
  case S_IFBLK:
  case S_IFIFO:
    return NULL;
  default:
    return "index: unknown type of an inode";
  }
}

static const char *check_dirent(const struct crfs_index_view *v, const struct crfs_dirent *d) {
  const struct crfs_index *h = v->header;
  if (d->inode == 0 || d->inode >= h->inodes.count)
    return "index: an entry names no inode";
  if (d->path_length == 0 || d->path_length > CRFS_PATH_LIMIT || d->name_length == 0 ||
      d->name_length > d->path_length || !range_fits(d->path, d->path_length, h->strings.count))
    return "index: an entry's path leaves the strings";
  if (d->type != type_of_mode(v->inodes[d->inode].mode))
    return "index: an entry's type differs from its inode's";
  const char *name = v->strings + d->path + d->path_length - d->name_length;
  if (memchr(name, 0, d->name_length) != NULL || memchr(name, '/', d->name_length) != NULL)
    return "index: a name holds a slash or NUL";
  if (name[0] == '.' && (d->name_length == 1 || (d->name_length == 2 && name[1] == '.')))
    return "index: a name is '.' or '..'";
  if (d->path_length > d->name_length && name[-1] != '/')
    return "index: a name is no part of its path";
  return NULL;
}

/* Expects that all inodes are right. */
static const char *check_chunk(const struct crfs_index_view *v, uint64_t number) {
  const struct crfs_index *h = v->header;
  const struct crfs_chunk *c = &v->chunks[number];
  if (c->inode >= h->inodes.count || (v->inodes[c->inode].mode & S_IFMT) != S_IFREG ||
      number < v->inodes[c->inode].first || number - v->inodes[c->inode].first >= v->inodes[c->inode].count)
    return "index: a chunk belongs to no file";
  if (c->digest > h->digests.count)
    return "index: a chunk's digest leaves its table";
  if (c->offset > h->blob_used || c->end <= c->offset || (c->end > INT64_MAX && c->end != UINT64_MAX))
    return "index: a chunk leaves the blob";
  if (c->inner > INT64_MAX)
    return "index: a chunk leaves its member's output";
  return NULL;
}

static const char *check_xattr(const struct crfs_index_view *v, const struct crfs_xattr *x) {
  const uint64_t limit = v->header->strings.count;
  if (x->name_length == 0 || x->name_length > CRFS_NAME_LIMIT || !range_fits(x->name, x->name_length, limit) ||
      !range_fits(x->value, x->value_length, limit) || memchr(v->strings + x->name, 0, x->name_length) != NULL)
    return "index: an xattr leaves the strings";
  return NULL;
}

static const char *check_tables(const struct crfs_index_view *v) {
  const struct crfs_index *h = v->header;
  const char *wrong;
  uint64_t listed = 0;
  for (uint64_t i = 0; i < h->dirents.count; i++)
    if ((wrong = check_dirent(v, &v->dirents[i])) != NULL)
      return wrong;
  if ((v->inodes[0].mode & S_IFMT) != S_IFDIR)
    return "index: the root is no directory";
  for (uint64_t i = 0; i < h->inodes.count; i++)
    if ((wrong = check_inode(v, (uint32_t)i, &listed)) != NULL)
      return wrong;
  if (listed != h->dirents.count)
    return "index: an entry lies in no directory";
  for (uint64_t i = 0; i < h->chunks.count; i++)
    if ((wrong = check_chunk(v, i)) != NULL)
      return wrong;
  for (uint64_t i = 0; i < h->xattrs.count; i++)
    if ((wrong = check_xattr(v, &v->xattrs[i])) != NULL)
      return wrong;
  for (uint64_t i = 0; i < h->slots.count; i++)
    if (v->slots[i].dirent > h->dirents.count)
      return "index: a hash slot names no entry";
  return NULL;
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
