/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/lowers.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 11 /* of a layer, its NUL included */

int crfs_lowers_layers(struct crfs_lowers *lowers, const struct crfs_tree *tree, const char *const *below, int alone) {
  size_t belows = 0, count = 0;
  int opaque = 0; /* the root of the last one */
  while (below[belows] != NULL)
    belows++;
  const size_t most = tree->count + belows + 2;
  lowers->data[0] = NULL;
  lowers->lower = malloc(most * sizeof *lowers->lower + tree->count * (size_t)NAME_SIZE);
  if (lowers->lower == NULL)
    return -1;
  char *name = (char *)(lowers->lower + most);
  for (uint32_t place = tree->count; place-- > 0 && !opaque; name += NAME_SIZE) {
    snprintf(name, NAME_SIZE, "%u", place);
    lowers->lower[count++] = name;
    opaque = crfs_tree_is_opaque(tree->layers[place], 0);
  }
  for (size_t n = 0; n < belows && !opaque; n++)
    lowers->lower[count++] = below[n];
  if (count == 1 && alone)
    lowers->lower[count++] = CRFS_LOWER_EMPTY;
  lowers->lower[count] = NULL;
  return 0;
}

/* The stubs are the lowest layer: in no other does the kernel follow them. The published objects come first: what is
 * there, it reads without asking us. */
int crfs_lowers_stubs(struct crfs_lowers *lowers, const struct crfs_stubs *stubs, const struct crfs_stubs_found *found,
                      int alone) {
  size_t count = 0;
  lowers->lower = malloc(3 * sizeof *lowers->lower);
  if (lowers->lower == NULL)
    return -1;
  snprintf(lowers->stubs, sizeof lowers->stubs, "/proc/self/fd/%d", found->tree);
  snprintf(lowers->empty, sizeof lowers->empty, "/proc/self/fd/%d", found->empty);
  snprintf(lowers->objects, sizeof lowers->objects, "/proc/self/fd/%d", stubs->objects);
  if (alone)
    lowers->lower[count++] = lowers->empty;
  lowers->lower[count++] = lowers->stubs;
  lowers->lower[count] = NULL;
  lowers->data[0] = lowers->objects;
  lowers->data[1] = CRFS_LOWER_OBJECTS;
  lowers->data[2] = NULL;
  return 0;
}

void crfs_lowers_free(struct crfs_lowers *lowers) {
  free(lowers->lower);
}
