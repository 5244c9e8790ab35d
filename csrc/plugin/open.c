/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/open.h"

#include "plugin/copyup.h"
#include "plugin/metadata.h"
#include "plugin/session.h"

#include <errno.h>
#include <fcntl.h>

/* The host calls openat for several ends, which flags and mode tell apart:
 *
 *   flags                                mode        it wants
 *   O_RDONLY | O_NONBLOCK | O_NOFOLLOW   0755        to look a file up without fast_ino=1, or copy_file_range
 *   O_RDONLY | O_NONBLOCK                0 or 0755   to copy a file up, its xattrs included, or its directory
 *   O_DIRECTORY                          0755        the names in a directory (before version 0.7.3)
 *   those of the user's open             0700        to read
 */
enum purpose {
  PROBE,
  COPY_UP,
  LIST,
  READ
};

static enum purpose purpose_of(int flags, mode_t mode) {
  if (flags == (O_RDONLY | O_NONBLOCK | O_NOFOLLOW) && mode == 0755)
    return PROBE;
  if (flags == (O_RDONLY | O_NONBLOCK) && (mode == 0 || mode == 0755))
    return COPY_UP;
  return (flags & O_DIRECTORY) != 0 && mode == 0755 ? LIST : READ;
}

static int refuse(int error) {
  errno = error;
  return -1;
}

int crfs_openat(struct ovl_layer *l, const char *path, int flags, mode_t mode) {
  const struct crfs_layer *layer = crfs_layer_of(l);
  struct crfs_path clean;
  int32_t inode = crfs_resolve(layer, path, &clean);
  enum purpose purpose = purpose_of(flags, mode);
  if (inode < 0)
    return -1;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0)
    return refuse(EROFS);
  /* A lookup falls back to statat, whatever the errno, and nothing is fetched for it. copy_file_range hands the errno
   * to the kernel, which for this one copies by reading and writing. */
  if (purpose == PROBE)
    return refuse(EOPNOTSUPP);
  switch (crfs_type(layer, inode)) {
  case S_IFREG:
    if ((flags & O_DIRECTORY) != 0)
      return refuse(ENOTDIR);
    return purpose == COPY_UP ? crfs_copyup_file(layer, (uint32_t)inode)
                              : crfs_lazy_open(crfs_plugin_lazy(), layer, (uint32_t)inode);
  case S_IFDIR:
    return purpose == LIST ? crfs_copyup_listing(layer, (uint32_t)inode)
                           : crfs_copyup_directory(layer, (uint32_t)inode, clean.bytes);
  case S_IFLNK:
    return refuse((flags & O_DIRECTORY) != 0 ? ENOTDIR : ELOOP);
  default:
    /* The host copies devices and fifos up to delete or rename them, as files without content: let it. */
    if (purpose == COPY_UP)
      return crfs_copyup_file(layer, (uint32_t)inode);
    return refuse((flags & O_DIRECTORY) != 0 ? ENOTDIR : ENXIO);
  }
}
