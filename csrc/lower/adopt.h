/* SPDX-License-Identifier: GPL-3.0-or-later */

/* An upper directory that fuse-overlayfs has written, made ready for the kernel's overlay. fuse-overlayfs writes what
 * the kernel does not read (opaque directories of a mount in a user namespace would show again what was removed), or
 * shows as files (`.wh..wh..opq`). It reads what is made of that. */

#ifndef CRFS_LOWER_ADOPT_H
#define CRFS_LOWER_ADOPT_H

#include "client/report.h"

/* Left in the work directory by whoever mounts with fuse-overlayfs: src/main/mount/upper.ts. */
#define CRFS_WRITTEN_BY_HOST "fuse-overlayfs"

/* Adopts UPPER, if WORK tells that fuse-overlayfs has used it. TRUSTED: crfs_overlay_has_trusted_attributes.
 * Returns 0, or -1 with FAILURE. */
int crfs_adopt(const char *upper, const char *work, int trusted, struct crfs_failure *failure);

#endif
