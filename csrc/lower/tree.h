/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The layers of one mount as the kernel's overlay wants to have them: each a tree of its own, in which whiteouts are
 * character devices 0/0 and no name begins with `.wh.`. From the mapped indexes alone. Any thread, once loaded.
 *
 * What hides what: OCI image specification, layer.md, "Whiteouts"; and Documentation/filesystems/overlayfs.rst. */

#ifndef CRFS_LOWER_TREE_H
#define CRFS_LOWER_TREE_H

#include "client/session.h"

struct crfs_tree {
  struct crfs_session session;
  struct crfs_layer **layers; /* by their slots, which are their places: 0 is the base */
  uint32_t count;
  const char *const *below; /* directories below the layers, the topmost first; ended by NULL. NULL itself: each layer
                               is for somebody else to stack, and anything may be below */
};

/* Has the daemon open what the configuration ASKED names, for a mount at MOUNTPOINT, with the directories BELOW it,
 * which are kept. Returns 0, or -1 with FAILURE. Lasts as long as the process. */
int crfs_tree_load(struct crfs_tree *tree, const char *asked, const char *mountpoint, const char *const *below,
                   struct crfs_failure *failure);

/* What stands at a place of a directory. */
struct crfs_entry {
  const char *name; /* not ended by a NUL */
  uint32_t length;
  uint32_t inode;
  const struct crfs_dirent *dirent; /* that it stands for */
  int whiteout;                     /* it stands for nothing, and hides what lies below: only the name counts */
};

/* The entry NAME of the directory INODE of LAYER. Returns whether there is one. */
int crfs_tree_find(const struct crfs_tree *tree, const struct crfs_layer *layer, uint32_t inode, const char *name,
                   struct crfs_entry *entry);

/* The first entry of the directory INODE at *PLACE or behind it; *PLACE becomes its place. Returns whether there is
 * one.
 */
int crfs_tree_next(const struct crfs_tree *tree, const struct crfs_layer *layer, uint32_t inode, uint32_t *place,
                   struct crfs_entry *entry);

/* Whether the directory INODE hides what lies below it, wholly. */
int crfs_tree_is_opaque(const struct crfs_layer *layer, uint32_t inode);

/* Whether an extended attribute is one by which overlays speak to themselves: in an image it is content, and the kernel
 * must not take it for its own. */
int crfs_tree_is_private(const char *name);

#endif
