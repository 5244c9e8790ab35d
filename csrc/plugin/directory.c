/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/directory.h"

#include "plugin/copyup.h"
#include "plugin/metadata.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* A directory that is read from the index. The pool has room for more than the host ever opens at a time: one. */
struct cursor {
  uint32_t used;
  const struct crfs_layer *layer;
  uint64_t next, end; /* dirents */
  struct dirent entry;
};

static struct cursor pool[16];

static struct cursor *in_pool(void *dirp) {
  uintptr_t at = (uintptr_t)dirp, first = (uintptr_t)pool;
  return at >= first && at < first + sizeof pool ? dirp : NULL;
}

static struct cursor *take(const struct crfs_layer *layer, int32_t inode) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  for (size_t n = 0; n < sizeof pool / sizeof pool[0]; n++) {
    struct cursor *c = &pool[n];
    /* acquire, against the release in crfs_closedir: the last user is through with the cursor */
    if (__atomic_exchange_n(&c->used, 1, __ATOMIC_ACQUIRE) != 0)
      continue;
    c->layer = layer;
    c->next = i->first;
    c->end = i->first + i->count;
    return c;
  }
  return NULL;
}

/* Whether MISSED is the whiteout of PATH. */
static int is_whiteout_of(const struct crfs_path *missed, const struct crfs_path *path) {
  static const char mark[] = ".wh.";
  const uint32_t extra = sizeof mark - 1;
  const char *slash = memrchr(path->bytes, '/', path->length);
  uint32_t parent = slash == NULL ? 0 : (uint32_t)(slash + 1 - path->bytes);
  return missed->length == path->length + extra && memcmp(missed->bytes, path->bytes, parent) == 0 &&
         memcmp(missed->bytes + parent, mark, extra) == 0 &&
         memcmp(missed->bytes + parent + extra, path->bytes + parent, path->length - parent) == 0;
}

static void *open_listing(const struct crfs_layer *layer, int32_t inode) {
  int fd = crfs_copyup_listing(layer, (uint32_t)inode);
  DIR *listing = fd < 0 ? NULL : fdopendir(fd);
  if (fd >= 0 && listing == NULL)
    close(fd);
  return listing;
}

/* The host opens directories for two ends. To show one it asks, right before, for its type, or (before version 1.8.2)
 * for its whiteout; then it reads by our readdir. But where a directory is renamed over one that was deleted, it asks
 * for nothing before, and reads and closes by the C library's functions: whatever does not look like the first end gets
 * a real DIR. */
void *crfs_opendir(struct ovl_layer *l, const char *path) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  const struct crfs_last last = crfs_last;
  struct crfs_path clean;
  int32_t inode = crfs_resolve(layer, path, &clean);
  if (inode < 0)
    return NULL;
  if (crfs_type(layer, inode) != S_IFDIR) {
    errno = ENOTDIR;
    return NULL;
  }
  struct cursor *c = NULL;
  if (last.layer == layer && (last.looked_at == inode || is_whiteout_of(&last.missed, &clean)))
    c = take(layer, inode);
  return c != NULL ? c : open_listing(layer, inode);
}

struct dirent *crfs_readdir(void *dirp) {
  struct cursor *c = in_pool(dirp);
  if (c == NULL)
    return readdir(dirp);
  if (c->next == c->end) {
    errno = 0;
    return NULL;
  }
  const struct crfs_index_view *index = &c->layer->index;
  const struct crfs_dirent *d = &index->dirents[c->next++];
  c->entry.d_ino = index->header->ino_base | d->inode;
  c->entry.d_off = (off_t)c->next;
  c->entry.d_reclen = sizeof c->entry;
  c->entry.d_type = d->type;
  memcpy(c->entry.d_name, index->strings + d->path + d->path_length - d->name_length, d->name_length);
  c->entry.d_name[d->name_length] = '\0';
  return &c->entry;
}

int crfs_closedir(void *dirp) {
  struct cursor *c = in_pool(dirp);
  if (c != NULL) {
    __atomic_store_n(&c->used, 0, __ATOMIC_RELEASE);
    return 0;
  }
  return dirp == NULL ? 0 : closedir(dirp); /* version 0.7 closes what it failed to open */
}
