/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the host copies to its upper directory. It takes owner, mode, times and xattrs from descriptors, past the
 * plugin: so these descriptors are of private stand-ins that carry them. All return a descriptor, or -1 and errno. */

#ifndef CRFS_PLUGIN_COPYUP_H
#define CRFS_PLUGIN_COPYUP_H

#include "plugin/layer.h"

/* The content of a regular file, with its xattrs: a copy if it has any, else its object. */
int crfs_copyup_file(const struct crfs_layer *layer, uint32_t inode);

/* An empty directory with all attributes of INODE, whose clean path is PATH. */
int crfs_copyup_directory(const struct crfs_layer *layer, uint32_t inode, const char *path);

/* A directory with the names that the directory INODE holds. */
int crfs_copyup_listing(const struct crfs_layer *layer, uint32_t inode);

#endif
