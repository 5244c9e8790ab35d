/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A layer's index in this process's memory. */

#ifndef CRFS_CLIENT_MAPPING_H
#define CRFS_CLIENT_MAPPING_H

#include "client/layer.h"

/* Maps and checks the index behind FD, which must be that of the TOC with DIGEST, and fills in LAYER. FD stays the
 * caller's. Returns 0, or -1 with FAILURE. */
int crfs_mapping_make(struct crfs_layer *layer, int fd, const uint8_t digest[32], struct crfs_failure *failure);

/* Whether the index behind FD is the one that LAYER has mapped: 0, or -1 with FAILURE. */
int crfs_mapping_compare(const struct crfs_layer *layer, int fd, struct crfs_failure *failure);

void crfs_mapping_drop(struct crfs_layer *layer);

#endif
