/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One layer of a mount: what the host's struct ovl_layer points to. */

#ifndef CRFS_PLUGIN_LAYER_H
#define CRFS_PLUGIN_LAYER_H

#include "client/layer.h"
#include "plugin/host.h"

struct crfs_plugin_layer {
  struct crfs_layer layer; /* first: the one is cast to the other */
  struct ovl_layer *host;  /* what the host calls it by */
};

static inline struct crfs_layer *crfs_layer_of(const struct ovl_layer *l) {
  return l->data_source_private_data;
}

int crfs_num_of_layers(const char *opaque, const char *path);
int crfs_load_data_source(struct ovl_layer *l, const char *opaque, const char *path, int n_layer);
int crfs_cleanup(struct ovl_layer *l);

#endif
