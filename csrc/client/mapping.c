/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/mapping.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int crfs_mapping_make(struct crfs_layer *layer, int fd, const uint8_t digest[32], struct crfs_failure *failure) {
  struct stat st;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct crfs_index))
    return crfs_fail(failure, EPROTO, "the daemon gave no index; end it with `crfs stop`");
  size_t size = (size_t)st.st_size;
  void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return crfs_fail(failure, errno, "cannot map its index of %zu bytes: %s", size, strerror(errno));
  const char *wrong = crfs_index_open(&layer->index, map, size);
  if (wrong == NULL && memcmp(layer->index.header->key, digest, 32) != 0)
    wrong = "index: of another layer";
  if (wrong != NULL) {
    munmap(map, size);
    return crfs_fail(failure, EBADMSG, "%s; delete the cache of crfs, which is damaged", wrong);
  }
  layer->map = map;
  layer->map_size = size;
  return 0;
}

/* The header has its key, and counts and places all that was made from it: equal headers, equal indexes. */
int crfs_mapping_compare(const struct crfs_layer *layer, int fd, struct crfs_failure *failure) {
  struct crfs_index header;
  if (pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
      memcmp(&header, layer->index.header, sizeof header) == 0)
    return 0;
  return crfs_fail(failure, ESTALE, "the daemon came back with another index; mount again");
}

void crfs_mapping_drop(struct crfs_layer *layer) {
  if (layer->map != NULL)
    munmap((void *)(uintptr_t)layer->map, layer->map_size);
  layer->map = NULL;
}
