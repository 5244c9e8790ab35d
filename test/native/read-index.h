/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Reads an index that has passed its check all over, so that a sanitizer sees any access outside of it. */

#ifndef CRFS_TEST_READ_INDEX_H
#define CRFS_TEST_READ_INDEX_H

#include "shared/index.h"

#include <stdlib.h>
#include <sys/stat.h>

static volatile uint64_t sum; /* so that reading is not optimised away */

static inline void read_bytes(const void *bytes, uint64_t length) {
  for (uint64_t i = 0; i < length; i++)
    sum += ((const unsigned char *)bytes)[i];
}

/* Aborts where the chunks of a file do not follow each other. */
static inline void read_chunks(const struct crfs_index_view *v, const struct crfs_inode *i) {
  uint64_t at = 0;
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_chunk *c = &v->chunks[i->first + n];
    if (c->file_offset != at || c->size > i->size - at)
      abort();
    at += c->size;
    if (c->digest != 0)
      read_bytes(v->digests[c->digest - 1], 32);
  }
}

static inline void read_inode(const struct crfs_index_view *v, const struct crfs_inode *i) {
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &v->xattrs[i->xattr_first + n];
    read_bytes(v->strings + x->name, x->name_length);
    read_bytes(v->strings + x->value, x->value_length);
  }
  for (uint32_t n = 0; n < i->count && S_ISDIR(i->mode); n++)
    sum += v->dirents[i->first + n].inode;
  if (S_ISREG(i->mode))
    read_chunks(v, i);
  if (S_ISLNK(i->mode))
    read_bytes(v->strings + i->first, i->size);
}

/* Reads everything, and looks up every path, and one that is not there. */
static inline void read_index(const struct crfs_index_view *v) {
  for (uint64_t i = 0; i < v->header->inodes.count; i++)
    read_inode(v, &v->inodes[i]);
  for (uint64_t i = 0; i < v->header->dirents.count; i++) {
    const struct crfs_dirent *d = &v->dirents[i];
    const struct crfs_dirent *found = crfs_index_find(v, v->strings + d->path, d->path_length);
    sum += found == NULL ? 0 : found->inode;
    sum += v->inodes[d->inode].mode;
    read_bytes(v->strings + d->path + d->path_length - d->name_length, d->name_length);
  }
  sum += crfs_index_find(v, "no/such/path", 12) != NULL;
}

#endif
