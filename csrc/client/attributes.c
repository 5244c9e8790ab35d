/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/attributes.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

static int fail(int error) {
  errno = error;
  return -1;
}

void crfs_attributes(const struct crfs_layer *layer, uint32_t inode, struct stat *st) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const struct timespec mtime = {.tv_sec = i->mtime_sec, .tv_nsec = i->mtime_nsec};
  mode_t type = i->mode & S_IFMT;
  *st = (struct stat){
      .st_ino = layer->index.header->ino_base | inode,
      .st_mode = i->mode,
      .st_nlink = type == S_IFDIR ? 1 : i->nlink,
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

ssize_t crfs_link_target(const struct crfs_layer *layer, uint32_t inode, char *buf, size_t size) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  if ((i->mode & S_IFMT) != S_IFLNK)
    return fail(EINVAL);
  size_t length = i->size < size ? (size_t)i->size : size;
  memcpy(buf, layer->index.strings + i->first, length);
  return (ssize_t)length;
}

int crfs_xattr_list(const struct crfs_layer *layer, uint32_t inode, char *buf, size_t size) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  size_t length = 0;
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &layer->index.xattrs[i->xattr_first + n];
    size_t next = length + x->name_length + 1u;
    if (next > INT_MAX || (size != 0 && next > size))
      return fail(ERANGE);
    if (size != 0) {
      memcpy(buf + length, layer->index.strings + x->name, x->name_length);
      buf[next - 1] = '\0';
    }
    length = next;
  }
  return (int)length;
}

int crfs_xattr_get(const struct crfs_layer *layer, uint32_t inode, const char *name, char *buf, size_t size) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const size_t name_length = i->xattr_count == 0 ? 0 : strlen(name);
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &layer->index.xattrs[i->xattr_first + n];
    if (x->name_length != name_length || memcmp(layer->index.strings + x->name, name, name_length) != 0)
      continue;
    if (x->value_length > INT_MAX || (size != 0 && x->value_length > size))
      return fail(ERANGE);
    if (size != 0)
      memcpy(buf, layer->index.strings + x->value, x->value_length);
    return (int)x->value_length;
  }
  return fail(ENODATA);
}

int crfs_xattr_copy(const struct crfs_layer *layer, uint32_t inode, crfs_xattr_set *set, const void *context) {
  const struct crfs_index_view *index = &layer->index;
  const struct crfs_inode *i = &index->inodes[inode];
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &index->xattrs[i->xattr_first + n];
    char name[CRFS_NAME_LIMIT + 1];
    memcpy(name, index->strings + x->name, x->name_length);
    name[x->name_length] = '\0';
    if (set(context, name, index->strings + x->value, x->value_length) < 0)
      return -1;
  }
  return 0;
}
