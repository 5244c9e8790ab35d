/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the kernel's overlay finds the layers: in their stubs, where these are there, else in what this process serves.
 */

#ifndef CRFS_LOWER_LOWERS_H
#define CRFS_LOWER_LOWERS_H

#include "lower/overlay.h"
#include "lower/stubs.h"

struct crfs_lowers {
  const char **lower, *data[3];           /* paths, as crfs_overlay has them */
  char stubs[32], empty[32], objects[32]; /* paths of these */
};

/* Lists the lower directories: the layers of TREE, one by one, and then those in BELOW, unless a layer above hides them
 * wholly: of the roots of layers, the kernel does not ask whether they are opaque. At least two where ALONE says that
 * there is no upper directory. Returns 0, or -1 without memory. */
int crfs_lowers_layers(struct crfs_lowers *lowers, const struct crfs_tree *tree, const char *const *below, int alone);

/* Lists the stubs of all layers, as they were FOUND. */
int crfs_lowers_stubs(struct crfs_lowers *lowers, const struct crfs_stubs *stubs, const struct crfs_stubs_found *found,
                      int alone);

void crfs_lowers_free(struct crfs_lowers *lowers);

#endif
