/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a mount shows: sources, and their layers. The session of a source holds both together. */

#ifndef CRFS_CLIENT_LAYER_H
#define CRFS_CLIENT_LAYER_H

#include "client/report.h"
#include "shared/control.h"
#include "shared/index.h"

#include <sys/stat.h>
#include <sys/types.h>

/* What one configuration named: one layer, or all layers of an image. */
struct crfs_source {
  struct crfs_source *next;
  struct crfs_session *session; /* that it belongs to */
  char *asked;                  /* the configuration, decoded */
  char *found;                  /* what the daemon made of it: asked for when it comes back */
  int blob;                     /* the local file, or -1 */
  uint32_t number;              /* to the daemon that was asked last */
  uint32_t layers;              /* how many it has */
};

struct crfs_layer {
  struct crfs_layer *next;
  struct crfs_source *source;
  uint32_t place;   /* in the source; 0 is the base */
  uint32_t ordinal; /* of the layers that the session was ever given */
  uint32_t slot;    /* the front end's own: where it has the layer among all that it shows */
  uint32_t number;  /* in requests to the daemon of now; the session guards it */
  uint32_t later;   /* the same for the next daemon, while a connection is being renewed */
  const void *map;
  size_t map_size;
  struct crfs_index_view index;
  /* Told of the tmp directory of each connection that serves the layer, the first included. Returns 0, or -1 and errno.
   * NULL: the front end keeps nothing there. */
  int (*attach)(struct crfs_layer *layer, int tmp);
};

static inline mode_t crfs_type(const struct crfs_layer *layer, int32_t inode) {
  return layer->index.inodes[inode].mode & S_IFMT;
}

#endif
