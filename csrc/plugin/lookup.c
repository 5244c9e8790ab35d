/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

__thread struct crfs_last crfs_last;

static int too_long(void) {
  errno = ENAMETOOLONG;
  return -1;
}

int crfs_path_clean(struct crfs_path *path, const char *raw) {
  uint32_t length = 0;
  if (strnlen(raw, CRFS_PATH_LIMIT + 1) > CRFS_PATH_LIMIT)
    return too_long();
  while (*raw != '\0') {
    size_t part = strcspn(raw, "/");
    if (part > CRFS_NAME_LIMIT)
      return too_long();
    if (part > 0 && !(part == 1 && raw[0] == '.')) {
      if (length > 0)
        path->bytes[length++] = '/';
      memcpy(path->bytes + length, raw, part);
      length += (uint32_t)part;
    }
    raw += part;
    raw += *raw == '/';
  }
  path->bytes[length] = '\0';
  path->length = length;
  return 0;
}

/* What a missing path misses: ENOTDIR if the nearest ancestor that exists is no directory. */
static int missing(const struct crfs_layer *layer, const struct crfs_path *path) {
  for (uint32_t length = path->length; length > 0; length--) {
    if (path->bytes[length] != '/')
      continue;
    const struct crfs_dirent *d = crfs_index_find(&layer->index, path->bytes, length);
    if (d != NULL)
      return d->type == DT_DIR ? ENOENT : ENOTDIR;
  }
  return ENOENT;
}

/* Whether RAW demands a directory by its end: "x/" or "x/.". */
static int ends_in_directory(const char *raw) {
  size_t length = strlen(raw);
  if (length > 0 && raw[length - 1] == '.')
    length--;
  return length > 0 && raw[length - 1] == '/';
}

int32_t crfs_lookup(const struct crfs_layer *layer, const char *raw, struct crfs_path *path) {
  struct crfs_path own;
  if (path == NULL)
    path = &own;
  crfs_last.layer = layer;
  crfs_last.looked_at = -1;
  crfs_last.missed.length = 0;
  if (crfs_path_clean(path, raw) < 0)
    return -1;
  if (path->length == 0)
    return 0;
  const struct crfs_dirent *d = crfs_index_find(&layer->index, path->bytes, path->length);
  if (d == NULL)
    errno = missing(layer, path);
  else if (d->type == DT_DIR || !ends_in_directory(raw))
    return (int32_t)d->inode;
  else
    errno = ENOTDIR;
  return -1;
}

int crfs_file_exists(struct ovl_layer *l, const char *path) {
  struct crfs_path clean;
  if (crfs_lookup(crfs_layer_of(l), path, &clean) >= 0)
    return 0;
  if (errno == ENOENT) {
    memcpy(crfs_last.missed.bytes, clean.bytes, clean.length);
    crfs_last.missed.length = clean.length;
  }
  return -1;
}

static void fill_stat(const struct crfs_layer *layer, uint32_t inode, struct stat *st) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const struct timespec mtime = {.tv_sec = i->mtime_sec, .tv_nsec = i->mtime_nsec};
  mode_t type = i->mode & S_IFMT;
  *st = (struct stat){
      /* st_dev stays 0: the host takes 0 for the device of what it knows from readdir alone (fast_ino), and tells
       * files apart by both numbers */
      .st_ino = layer->index.header->ino_base | inode,
      .st_mode = i->mode,
      .st_nlink = type == S_IFDIR ? 1 : i->nlink, /* 1: subdirectories are not counted; the host counts them itself */
      .st_uid = i->uid,
      .st_gid = i->gid,
      .st_size = (off_t)i->size,
      .st_blksize = 4096,
      .st_blocks = (blkcnt_t)(i->size / 512 + (i->size % 512 != 0)),
      .st_atim = mtime,
      .st_mtim = mtime,
      .st_ctim = mtime,
  };
  if (type == S_IFCHR || type == S_IFBLK)
    st->st_rdev = makedev(i->u.rdev.major, i->u.rdev.minor);
}

int crfs_statat(struct ovl_layer *l, const char *path, struct stat *st, int flags, unsigned int mask) {
  (void)flags; /* links are never followed */
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_lookup(layer, path, NULL);
  if (inode < 0)
    return -1;
  if (mask == STATX_TYPE)
    crfs_last.looked_at = inode;
  fill_stat(layer, (uint32_t)inode, st);
  return 0;
}

/* A descriptor's own numbers are those of an object, which many files share: the path tells whose they are. */
int crfs_fstat(struct ovl_layer *l, int fd, const char *path, unsigned int mask, struct stat *st) {
  return path == NULL ? fstat(fd, st) : crfs_statat(l, path, st, AT_SYMLINK_NOFOLLOW, mask);
}

ssize_t crfs_readlinkat(struct ovl_layer *l, const char *path, char *buf, size_t size) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  int32_t inode = crfs_lookup(layer, path, NULL);
  if (inode < 0)
    return -1;
  const struct crfs_inode *i = &layer->index.inodes[inode];
  if (crfs_type(layer, inode) != S_IFLNK) {
    errno = EINVAL;
    return -1;
  }
  size_t length = i->size < size ? (size_t)i->size : size;
  memcpy(buf, layer->index.strings + i->first, length);
  return (ssize_t)length;
}
