/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the kernel asks of a lazy mount. Its root holds every regular file of every layer, as ORDINAL.INODE in decimal,
 * and lists none: whoever has the mount knows what to open. */

#ifndef CRFS_LAZY_OPERATIONS_H
#define CRFS_LAZY_OPERATIONS_H

#include "lazy/answer.h"

#define CRFS_LAZY_NAME 24 /* bytes of a name, its NUL included */

void crfs_lazy_name(char name[CRFS_LAZY_NAME], const struct crfs_layer *layer, uint32_t inode);

/* Returns what answers requests from DEVICE with FILES, for fuse_session_destroy, which closes DEVICE too; or NULL:
 * then DEVICE is the caller's. */
struct fuse_session *crfs_operations_begin(struct crfs_files *files, int device);

#endif
