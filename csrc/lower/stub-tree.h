/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Filling a directory with the stubs of all layers. */

#ifndef CRFS_LOWER_STUB_TREE_H
#define CRFS_LOWER_STUB_TREE_H

#include "lower/tree.h"

/* Makes all in the empty directory ROOT; *BYTES is what it takes on the disk. Returns 0, or -1 and errno. */
int crfs_stub_tree_make(int root, const struct crfs_tree *tree, const char *class, uint64_t *bytes);

#endif
