/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "shared/index-tables.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static unsigned char type_of_mode(uint32_t mode) {
  return (unsigned char)((mode & S_IFMT) >> 12); /* DT_* are the S_IF* of stat, shifted: dirent.h, IFTODT */
}

static int range_fits(uint64_t first, uint64_t count, uint64_t limit) {
  return first <= limit && count <= limit - first;
}

/* Whether a point is at OFFSET. */
static int has_point(const struct crfs_index_view *v, uint64_t offset) {
  uint64_t low = 0, high = v->header->points.count;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (v->points[middle].offset < offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low < v->header->points.count && v->points[low].offset == offset;
}

static const char *check_chunk(const struct crfs_index_view *v, const struct crfs_chunk *c) {
  const struct crfs_index *h = v->header;
  if (c->digest > h->digests.count)
    return "index: a chunk's digest leaves its table";
  if (c->offset > h->blob_used || c->end < c->offset || (c->end > INT64_MAX && c->end != UINT64_MAX))
    return "index: a chunk leaves the blob";
  if (c->inner > INT64_MAX)
    return "index: a chunk leaves its member's output";
  if (h->codec == CRFS_CODEC_GZIP_POINTS && c->offset != c->end && !has_point(v, c->offset))
    return "index: a chunk begins at no point";
  return NULL;
}

/* The chunks of a file are its own, and cover it from 0 to its size: whoever fills in all of them has filled in the
 * file, and nothing else. */
static const char *check_file(const struct crfs_index_view *v, uint32_t number, struct crfs_sums *sums) {
  const struct crfs_inode *i = &v->inodes[number];
  const char *wrong;
  uint64_t covered = 0;
  uint32_t last_digest = 0;
  if (i->size > INT64_MAX)
    return "index: size of a file out of range";
  if (!range_fits(i->first, i->count, v->header->chunks.count))
    return "index: chunks of a file leave their table";
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_chunk *c = &v->chunks[i->first + n];
    if (c->inode != number || c->file_offset != covered || c->size == 0 || c->size > i->size - covered)
      return "index: chunks of a file do not follow each other";
    if ((wrong = check_chunk(v, c)) != NULL)
      return wrong;
    last_digest = c->digest > last_digest ? c->digest : last_digest;
    covered += c->size;
  }
  if ((i->flags & CRFS_INODE_SUMMED) != 0 && last_digest >= v->header->digests.count)
    return "index: the digest of a file leaves its table";
  sums->filled += i->count;
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

const char *crfs_check_listed(const struct crfs_index_view *v, const struct crfs_sums *sums) {
  return sums->listed > v->header->dirents.count ? "index: an entry lies in two directories" : NULL;
}

static const char *check_directory(const struct crfs_index_view *v, uint32_t number, struct crfs_sums *sums) {
  const struct crfs_inode *i = &v->inodes[number];
  const struct crfs_dirent *own = number == 0 ? NULL : &v->dirents[i->dirent];
  const uint32_t length = own == NULL ? 0 : own->path_length;
  const char *path = own == NULL ? NULL : v->strings + own->path;
  if (!range_fits(i->first, i->count, v->header->dirents.count))
    return "index: entries of a directory leave their table";
  sums->listed += i->count;
  const char *wrong = crfs_check_listed(v, sums);
  if (wrong != NULL) /* or many directories of the same entries would take forever */
    return wrong;
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_dirent *d = &v->dirents[i->first + n];
    if (!lies_in(v, d, path, length))
      return "index: an entry lies in another directory";
    if (n > 0 && !names_ascend(v, d - 1, d))
      return "index: entries of a directory are not sorted";
  }
  return NULL;
}

static const char *check_inode(const struct crfs_index_view *v, uint32_t number, struct crfs_sums *sums) {
  const struct crfs_index *h = v->header;
  const struct crfs_inode *i = &v->inodes[number];
  if (!range_fits(i->xattr_first, i->xattr_count, h->xattrs.count))
    return "index: xattrs of an inode leave their table";
  if (i->mtime_nsec > 999999999u)
    return "index: nanoseconds out of range";
  if (i->size != 0 && (i->mode & S_IFMT) != S_IFREG && (i->mode & S_IFMT) != S_IFLNK)
    return "index: size of what has no content";
  switch (i->mode & S_IFMT) {
  case S_IFDIR:
    return check_directory(v, number, sums);
  case S_IFREG:
    return check_file(v, number, sums);
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

static const char *check_dirent(const struct crfs_index_view *v, uint64_t number, struct crfs_sums *sums) {
  const struct crfs_index *h = v->header;
  const struct crfs_dirent *d = &v->dirents[number];
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
  const int is_own = v->inodes[d->inode].dirent == number;
  sums->named += is_own;
  return is_own || d->type != DT_DIR ? NULL : "index: a directory has two names";
}

static const char *check_xattr(const struct crfs_index_view *v, const struct crfs_xattr *x) {
  const uint64_t limit = v->header->strings.count;
  if (x->name_length == 0 || x->name_length > CRFS_NAME_LIMIT || !range_fits(x->name, x->name_length, limit) ||
      !range_fits(x->value, x->value_length, limit) || memchr(v->strings + x->name, 0, x->name_length) != NULL)
    return "index: an xattr leaves the strings";
  return NULL;
}

static const char *check_point(const struct crfs_index_view *v, uint64_t number) {
  const struct crfs_point *p = &v->points[number];
  if (p->offset > INT64_MAX || (number > 0 && p->offset <= p[-1].offset))
    return "index: points do not follow each other in the blob";
  if (p->out > INT64_MAX || (number > 0 && p->out <= p[-1].out))
    return "index: points do not follow each other in what the blob holds";
  if (p->bit > 7)
    return "index: a point is at no bit of its byte";
  if (!range_fits(p->window, p->window_length, v->header->windows.count) || p->window_size > CRFS_WINDOW_LIMIT)
    return "index: the window of a point leaves its table";
  return NULL;
}

const char *crfs_check_points(const struct crfs_index_view *v, uint64_t first, uint64_t end, struct crfs_sums *sums) {
  (void)sums;
  const char *wrong = NULL;
  for (uint64_t i = first; i < end && wrong == NULL; i++)
    wrong = check_point(v, i);
  return wrong;
}

const char *crfs_check_dirents(const struct crfs_index_view *v, uint64_t first, uint64_t end, struct crfs_sums *sums) {
  const char *wrong = NULL;
  for (uint64_t i = first; i < end && wrong == NULL; i++)
    wrong = check_dirent(v, i, sums);
  return wrong;
}

const char *crfs_check_inodes(const struct crfs_index_view *v, uint64_t first, uint64_t end, struct crfs_sums *sums) {
  const char *wrong = NULL;
  for (uint64_t i = first; i < end && wrong == NULL; i++)
    wrong = check_inode(v, (uint32_t)i, sums);
  return wrong;
}

const char *crfs_check_xattrs(const struct crfs_index_view *v, uint64_t first, uint64_t end, struct crfs_sums *sums) {
  (void)sums;
  const char *wrong = NULL;
  for (uint64_t i = first; i < end && wrong == NULL; i++)
    wrong = check_xattr(v, &v->xattrs[i]);
  return wrong;
}

const char *crfs_check_slots(const struct crfs_index_view *v, uint64_t first, uint64_t end, struct crfs_sums *sums) {
  (void)sums;
  for (uint64_t i = first; i < end; i++)
    if (v->slots[i].dirent > v->header->dirents.count)
      return "index: a hash slot names no entry";
  return NULL;
}
