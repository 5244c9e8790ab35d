/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One file, directory, link or device of a tree of stubs. All return 0, or -1 and errno. */

#ifndef CRFS_LOWER_STUB_H
#define CRFS_LOWER_STUB_H

#include "client/layer.h"

/* Makes INODE, which is no directory, as NAME in the directory AT. CLASS: crfs_stubs. */
int crfs_stub_make(int at, const char *name, const struct crfs_layer *layer, uint32_t inode, const char *class);

/* Gives the directory FD what INODE has, now that all is in it. */
int crfs_stub_finish(int fd, const struct crfs_layer *layer, uint32_t inode, const char *class);

#endif
