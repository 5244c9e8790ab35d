/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A few buffers that all threads of a server share: what it takes of memory does not grow with the number of readers.
 */

#ifndef CRFS_LAZY_BUFFERS_H
#define CRFS_LAZY_BUFFERS_H

#include <pthread.h>

#define CRFS_BUFFERS 4
#define CRFS_BUFFER_SIZE (1u << 20)

struct crfs_buffers {
  pthread_mutex_t lock; /* around what follows */
  pthread_cond_t given; /* one was given back */
  unsigned taken;
  void *spare[CRFS_BUFFERS]; /* NULL: not made yet, or taken */
};

void crfs_buffers_begin(struct crfs_buffers *buffers);
void crfs_buffers_end(struct crfs_buffers *buffers); /* none is taken any more */

/* A buffer of CRFS_BUFFER_SIZE bytes, which waits until there is one; to be given back soon. Returns NULL without
 * memory. */
void *crfs_buffer_take(struct crfs_buffers *buffers);
void crfs_buffer_give(struct crfs_buffers *buffers, void *buffer);

#endif
