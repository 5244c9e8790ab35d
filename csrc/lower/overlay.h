/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The kernel's overlay over the layers: Documentation/filesystems/overlayfs.rst. */

#ifndef CRFS_LOWER_OVERLAY_H
#define CRFS_LOWER_OVERLAY_H

#include "client/report.h"

#include <stdint.h>

/* What to mount, as whoever asks for it wrote it. Paths are absolute. */
struct crfs_overlay {
  const char *const *below; /* directories below the layers, the topmost first; ended by NULL */
  const char *upper, *work; /* both, or NULL */
  char **options;           /* further ones, NAME or NAME=VALUE, ended by NULL */
};

#define CRFS_LOWER_EMPTY "empty" /* a directory with nothing in it, beside those of layers */

/* Makes an overlay of LAYERS layers, which the directory that is current holds by their places in decimal; attached
 * nowhere yet. Returns a descriptor of its root, or -1 with FAILURE. */
int crfs_overlay_make(const struct crfs_overlay *overlay, uint32_t layers, struct crfs_failure *failure);

#endif
