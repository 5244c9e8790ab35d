/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/lookup.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

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
