/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One layer of a mount: what the host's struct ovl_layer points to. */

#ifndef CRFS_PLUGIN_LAYER_H
#define CRFS_PLUGIN_LAYER_H

#include "plugin/host.h"
#include "plugin/report.h"
#include "shared/control.h"
#include "shared/index.h"

/* What one lowerdir entry named: one layer, or all layers of an image. */
struct crfs_source {
  struct crfs_source *next;
  char *asked; /* the configuration, decoded */
  char *found; /* what the daemon made of it: asked for when it comes back */
  int blob;    /* the local file, or -1 */
  uint32_t number;
  uint32_t layers;
};

struct crfs_layer {
  struct crfs_layer *next;
  struct ovl_layer *host;
  struct crfs_source *source;
  uint32_t place;  /* in the source; 0 is the base */
  uint32_t number; /* in requests to the daemon of now; session.c guards it */
  uint32_t later;  /* the same for the next daemon, while a connection is being renewed */
  const void *map;
  size_t map_size;
  struct crfs_index_view index;
};

static inline struct crfs_layer *crfs_layer_of(const struct ovl_layer *l) {
  return l->data_source_private_data;
}

int crfs_num_of_layers(const char *opaque, const char *path);
int crfs_load_data_source(struct ovl_layer *l, const char *opaque, const char *path, int n_layer);
int crfs_cleanup(struct ovl_layer *l);

#endif
