/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which file has the content that an object is named after: for objects that are not published yet. Any thread. */

#ifndef CRFS_LOWER_CONTENTS_H
#define CRFS_LOWER_CONTENTS_H

#include "lower/tree.h"

#include <pthread.h>

struct crfs_place {
  uint32_t layer; /* its place + 1; 0: none */
  uint32_t inode;
};

/* A hash table over the names of all objects, a power of two, open addressing; made at the first question. */
struct crfs_contents {
  const struct crfs_tree *tree;
  pthread_mutex_t lock; /* around the making */
  struct crfs_place *slots;
  size_t count;
  uint64_t seed[4]; /* random, and odd: whoever wrote the digests cannot have chosen them to collide */
};

void crfs_contents_begin(struct crfs_contents *contents, const struct crfs_tree *tree);

/* A file whose object has NAME, without the directory that is in front of it. Returns its layer with *INODE, or NULL.
 */
const struct crfs_layer *crfs_contents_find(struct crfs_contents *contents, const char *name, uint32_t *inode);

#endif
