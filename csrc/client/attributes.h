/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What an inode shows: from the mapped index alone, without a system call. Any thread. */

#ifndef CRFS_CLIENT_ATTRIBUTES_H
#define CRFS_CLIENT_ATTRIBUTES_H

#include "client/layer.h"

/* Fills in ST. st_dev is 0, and st_nlink of a directory 1: subdirectories are not counted. */
void crfs_attributes(const struct crfs_layer *layer, uint32_t inode, struct stat *st);

/* The target of a symlink, as readlink(2): cut at SIZE, no NUL behind it. Returns its length, or -1: EINVAL. */
ssize_t crfs_link_target(const struct crfs_layer *layer, uint32_t inode, char *buf, size_t size);

/* As listxattr(2) and getxattr(2): the length is returned, and with SIZE 0 nothing else; or -1: ERANGE, ENODATA. */
int crfs_xattr_list(const struct crfs_layer *layer, uint32_t inode, char *buf, size_t size);
int crfs_xattr_get(const struct crfs_layer *layer, uint32_t inode, const char *name, char *buf, size_t size);

/* Sets one of a file that CONTEXT stands for. Returns 0, or -1 and errno. */
typedef int crfs_xattr_set(const void *context, const char *name, const void *value, size_t size);

/* Has all xattrs of INODE set, up to the first that fails. Returns 0, or -1 and the errno of that. */
int crfs_xattr_copy(const struct crfs_layer *layer, uint32_t inode, crfs_xattr_set *set, const void *context);

#endif
