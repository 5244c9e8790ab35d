/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Stubs: the tree of all layers of a mount together, in a real file system, for later mounts of them. Every regular
 * file in it is empty but for its size, and has two extended attributes by which the kernel's overlay finds its content
 * among the objects (Documentation/filesystems/overlayfs.rst, "Metadata only copy up" and "Data-only lower layers").
 * The kernel looks names up there, and opens what is published, without asking anybody.
 *
 * They lie in the cache, beside the objects:
 *
 *   stubs/NAME/tree   what the layers show
 *   stubs/NAME/empty  the root of that, with nothing in it: for an overlay that wants to have two, and shows the upper
 * one stubs/NAME/of     all that this depends on stubs/NAME/bytes  what it takes on the disk, in decimal
 *
 * NAME is a hash of `of`. Locked (flock(2), shared) while they are used, and of the time when they were used last.
 * Without `tree`: these layers cannot be shown in that way. One tree of all layers, as the kernel follows stubs in the
 * lowest layer alone where other users than root may mount. */

#ifndef CRFS_LOWER_STUBS_H
#define CRFS_LOWER_STUBS_H

#include "lower/tree.h"

struct crfs_stubs {
  int directory;     /* stubs, in the cache */
  int objects;       /* beside it: the published ones */
  const char *class; /* of the attributes by which overlays speak to themselves: `trusted` or `user` */
  char *of;          /* all that they depend on */
  size_t length;
};

/* Finds the directories of the cache that the layers of TREE come from, in this process's mount namespace, as mounts of
 * another one are none that an overlay takes. TRUSTED: the overlay uses trusted attributes. Returns 0, or -1: these
 * layers have no stubs. */
int crfs_stubs_begin(struct crfs_stubs *stubs, const struct crfs_tree *tree, int trusted);

/* How it stands with stubs. */
enum crfs_stubs_state {
  CRFS_STUBS_THERE,
  CRFS_STUBS_MISSING,
  CRFS_STUBS_IMPOSSIBLE,
};

/* Descriptors of stubs that are there. */
struct crfs_stubs_found {
  int tree, empty;
};

/* Looks for them. Where they are there, they are FOUND, and stay in use as long as this process lives. */
enum crfs_stubs_state crfs_stubs_find(const struct crfs_stubs *stubs, struct crfs_stubs_found *found);

/* Makes those that are missing. Takes long. */
void crfs_stubs_make(const struct crfs_stubs *stubs, const struct crfs_tree *tree);

/* Removes what is left of stubs that were taken away, whose owners only this process may act for. */
void crfs_stubs_sweep(const struct crfs_stubs *stubs);

#endif
