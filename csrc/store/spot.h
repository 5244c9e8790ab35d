/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a store consists of beside the layers:
 *
 *   /BASE64             an image, by its reference; not listed: it is there when it is asked for
 *   /BASE64/DIGEST      a layer of it, by the digest of its blob or of its TOC; likewise
 *   /DIGEST             the same of any image that containers-storage uses
 *     .../diff          the layer's root
 *     .../info          JSON, for containers-storage
 *     .../blob          the bytes of the layer's blob
 *
 * Inode numbers of all these have nothing in their upper half, where those of layers have their slot: lower/node.h. */

#ifndef CRFS_STORE_SPOT_H
#define CRFS_STORE_SPOT_H

#include "store/shelf.h"

enum crfs_spot_kind {
  CRFS_SPOT_IMAGE, /* a reference: the root, too */
  CRFS_SPOT_LAYER,
  CRFS_SPOT_INFO,
  CRFS_SPOT_BLOB,
};

struct crfs_spot {
  enum crfs_spot_kind kind;
  struct crfs_reference *reference; /* of an image */
  struct crfs_stored *stored;       /* of all else */
};

/* Whether the inode NUMBER is of a store, and not of a layer. */
int crfs_spot_is(uint64_t number);

/* Fills in SPOT with what NUMBER stands for. Returns whether there is such a place. */
int crfs_spot_of(struct crfs_shelf *shelf, uint64_t number, struct crfs_spot *spot);

struct stat crfs_spot_attributes(struct crfs_spot spot);

/* What the directory SPOT has under NAME, which may be waited for: a spot, FOUND; or the root of a layer, *LAYER.
 * Returns whether there is something. */
int crfs_spot_find(struct crfs_shelf *shelf, struct crfs_spot spot, const char *name, struct crfs_spot *found,
                   const struct crfs_layer **layer);

#endif
