/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Extended attributes as the kernel's overlay is to see them: those of the layer, but for names by which overlays speak
 * to themselves, and of these what the layer means. As listxattr(2) and getxattr(2): the length is returned, and with
 * SIZE 0 nothing else; or -1 and errno. */

#ifndef CRFS_LOWER_XATTRS_H
#define CRFS_LOWER_XATTRS_H

#include "lower/node.h"

#define CRFS_LOWER_XATTR_SIZE 65536 /* bytes of a value, and of a list: XATTR_SIZE_MAX, XATTR_LIST_MAX */

ssize_t crfs_lower_xattr_get(struct crfs_node node, const char *name, char *buf, size_t size);

/* BUF has room for CRFS_LOWER_XATTR_SIZE. */
ssize_t crfs_lower_xattr_list(struct crfs_node node, char *buf, size_t size);

#endif
