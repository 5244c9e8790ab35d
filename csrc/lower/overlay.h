/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The kernel's overlay over the layers: Documentation/filesystems/overlayfs.rst. */

#ifndef CRFS_LOWER_OVERLAY_H
#define CRFS_LOWER_OVERLAY_H

#include "client/report.h"

/* What to mount. Paths are absolute, or of the directory that is current. */
struct crfs_overlay {
  const char *const *lower; /* the topmost first; ended by NULL, as all lists here are */
  const char *const *data;  /* where the contents of stubs are looked for, in this order */
  const char *upper, *work; /* both, or NULL */
  char **options;           /* further ones, NAME or NAME=VALUE */
  int trusted;              /* crfs_overlay_has_trusted_attributes */
};

/* Directories beside those of layers: with nothing in it, and with the contents of files. */
#define CRFS_LOWER_EMPTY "empty"
#define CRFS_LOWER_OBJECTS "objects"

/* Makes an overlay, attached nowhere yet. Returns a descriptor of its root, or -1 with FAILURE. */
int crfs_overlay_make(const struct crfs_overlay *overlay, struct crfs_failure *failure);

/* Whether the kernel lets this process set attributes of the class that overlays use by themselves, `trusted`; else
 * they take one that anybody may set, `user`. */
int crfs_overlay_has_trusted_attributes(void);

#endif
