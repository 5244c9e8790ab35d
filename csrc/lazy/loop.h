/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The threads that answer for a FUSE file system: one at a time waits for the next request, and all others answer. */

#ifndef CRFS_LAZY_LOOP_H
#define CRFS_LAZY_LOOP_H

#include "lazy/answer.h"

#include <pthread.h>
#include <stdint.h>

#define CRFS_LOOP_THREADS 256 /* requests that wait at a time, of 22 KB each; others wait for one of them to end */

struct crfs_loop {
  struct fuse_session *fuse;
  int device;           /* where its requests come from; O_NONBLOCK */
  int end;              /* a socket that is shut down to end the loop, or -1: it ends with the mount alone */
  uint64_t patience_ns; /* how long the next request is waited for awake */
  pthread_mutex_t turn; /* held by the thread that waits for the next request */
  pthread_t threads[CRFS_LOOP_THREADS];
  uint32_t count; /* threads made, with `turn` held */
  uint32_t idle;  /* those that wait for a request, or for their turn */
};

/* Makes a thread that gets no signals: these are its process's business. Returns 0, or an errno. */
int crfs_loop_thread(pthread_t *thread, void *(*run)(void *), void *argument);

/* Begins to answer the requests of FUSE. Returns 0, or an errno. */
int crfs_loop_begin(struct crfs_loop *loop, struct fuse_session *fuse, int device, int end);

/* Waits until all threads have ended. */
void crfs_loop_join(struct crfs_loop *loop);

#endif
