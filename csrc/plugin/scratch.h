/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Files and directories that stand in, for moments, for something in a layer. They live in the tmp directory that the
 * daemon gives to a connection, and what is left of them goes away with it. All functions return a descriptor, or -1
 * and errno. */

#ifndef CRFS_PLUGIN_SCRATCH_H
#define CRFS_PLUGIN_SCRATCH_H

#include "plugin/layer.h"

/* An empty file without a name. */
int crfs_scratch_file(int tmp);

/* A directory that has been removed from TMP and carries mode, owner, xattrs and times of INODE. */
int crfs_scratch_directory(int tmp, const struct crfs_layer *layer, uint32_t inode);

/* A directory that holds an empty file for each entry of the directory INODE. Made once per connection. */
int crfs_scratch_listing(int tmp, const struct crfs_layer *layer, uint32_t inode);

/* Gives FD the xattrs of INODE: those that this file system and this user can hold. Returns 0, or -1 and errno. */
int crfs_scratch_xattrs(int fd, const struct crfs_layer *layer, uint32_t inode);

/* The skeleton: what stands behind the descriptor in struct ovl_layer. The host opens directories below it directly,
 * past the plugin, where it looks for a default ACL to inherit: the parent of a lower directory that it copies up. So
 * these directories, and no others, are made there. */

/* Points l->fd to the skeleton in TMP; an l->fd that is open already keeps its number. Returns 0, or -1 and errno. */
int crfs_skeleton_attach(int tmp, struct ovl_layer *l);

/* Makes the parent directories of PATH, relative and clean, in the skeleton. Returns 0, or -1 and errno. */
int crfs_skeleton_grow(int tmp, const char *path);

#endif
