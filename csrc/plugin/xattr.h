/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Extended attributes. As the system calls: the length is returned, and with SIZE 0 nothing else. */

#ifndef CRFS_PLUGIN_XATTR_H
#define CRFS_PLUGIN_XATTR_H

#include "plugin/host.h"

int crfs_listxattr(struct ovl_layer *l, const char *path, char *buf, size_t size);
int crfs_getxattr(struct ovl_layer *l, const char *path, const char *name, char *buf, size_t size);

#endif
