/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The layers of a store that somebody has asked for. Each has a session of its own: whatever becomes of one, be it that
 * its registry does not answer, concerns no other. Any thread. */

#ifndef CRFS_STORE_SHELF_H
#define CRFS_STORE_SHELF_H

#include "client/session.h"
#include "store/name.h"

#include <pthread.h>

#define CRFS_SHELF_LAYERS (1u << 16)     /* that a server shows in its life; what is asked for beyond is not there */
#define CRFS_SHELF_REFERENCES (1u << 16) /* the same of images */
#define CRFS_SHELF_PENDING 64            /* layers that the daemon is asked for at a time */

struct crfs_reference;

/* A layer, by the name of an image and a digest: of the layer's blob, or of its TOC. */
struct crfs_stored {
  struct crfs_stored *next; /* of the same image */
  struct crfs_reference *reference;
  struct crfs_shelf *shelf;
  char digest[CRFS_DIGEST_SIZE];
  char *asked; /* the configuration */
  struct crfs_session session;
  struct crfs_layer layer;
  char *info; /* for containers-storage */
  uint64_t blob_size;
  int found;     /* 0: the daemon is being asked; 1: it is there; -1: it is not */
  uint32_t held; /* by those that wait for it */
};

/* An image; number 0 is any: its layers go without a reference. */
struct crfs_reference {
  uint32_t number;
  char name[CRFS_REFERENCE_SIZE];
  struct crfs_stored *layers;
  uint32_t pending;  /* how many of them the daemon is being asked for, */
  uint64_t since_ns; /* and since when it has not answered */
};

struct crfs_shelf {
  const char *directory; /* of the store */
  uint64_t patience_ns;  /* how long a look-up may wait for an image that does not answer */
  struct crfs_tree *tree;
  pthread_mutex_t lock;    /* around all that follows, and what has been asked for */
  pthread_cond_t answered; /* the daemon has answered */
  struct crfs_reference **references;
  uint32_t reference_count;
  uint32_t pending;
  struct crfs_stored **stored; /* by the slots of their layers, as in TREE */
};

/* Begins, with the layers of TREE, which is empty. Returns 0, or -1 without memory. */
int crfs_shelf_begin(struct crfs_shelf *shelf, struct crfs_tree *tree, const char *directory, uint64_t patience_ns);

/* The image NAME. Returns NULL where there are too many of them. */
struct crfs_reference *crfs_shelf_reference(struct crfs_shelf *shelf, const char *name);

/* The image of a number, or NULL. */
struct crfs_reference *crfs_shelf_reference_at(struct crfs_shelf *shelf, uint32_t number);

/* The layer DIGEST of REFERENCE. Asks the daemon, and waits for its answer, but not longer than is patient. Returns
 * NULL where it is not lazy, not known, or not known yet. */
struct crfs_stored *crfs_shelf_find(struct crfs_shelf *shelf, struct crfs_reference *reference, const char *digest);

/* The layer of a slot, or NULL. */
struct crfs_stored *crfs_shelf_at(struct crfs_shelf *shelf, uint32_t slot);

#endif
