/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/loop.h"

#include "shared/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define STACK (256u << 10)

/* Whoever has an answer asks for the next thing in a few microseconds, and a thread that sleeps takes longer than that
 * to wake up. */
#define PATIENCE_NS 50000

static void *serve(void *argument);

int crfs_loop_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
  sigset_t all, before;
  pthread_attr_t attributes;
  sigfillset(&all);
  sigdelset(&all, SIGBUS); /* what a thread itself does: the kernel kills where that is blocked, whoever handles it */
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

/* Makes one more thread, where there may be one. With `turn` held. */
static int grow(struct crfs_loop *loop) {
  if (loop->count == CRFS_LOOP_THREADS)
    return EAGAIN;
  __atomic_fetch_add(&loop->idle, 1, __ATOMIC_RELAXED);
  int error = crfs_loop_thread(&loop->threads[loop->count], serve, loop);
  if (error == 0)
    __atomic_store_n(&loop->count, loop->count + 1, __ATOMIC_RELEASE);
  else
    __atomic_fetch_sub(&loop->idle, 1, __ATOMIC_RELAXED);
  return error;
}

/* Looks for a request for a moment, letting others run. Returns as fuse_session_receive_buf. */
static int look(struct crfs_loop *loop, struct fuse_buf *request) {
  const uint64_t until = crfs_now_ns() + loop->patience_ns;
  int got;
  while ((got = fuse_session_receive_buf(loop->fuse, request)) == -EAGAIN && crfs_now_ns() < until)
    sched_yield();
  return got;
}

/* Waits for a request. Returns its length, 0 at the end, or -errno: there is none after all. */
static int receive(struct crfs_loop *loop, struct fuse_buf *request) {
  struct pollfd wait[] = {{.fd = loop->end, .events = POLLRDHUP}, {.fd = loop->device, .events = POLLIN}};
  int got = look(loop, request);
  if (got == -EAGAIN) {
    if (poll(wait, 2, -1) < 0)
      return -errno;
    if (wait[0].revents != 0)
      return 0;
    got = fuse_session_receive_buf(loop->fuse, request);
  }
  if (got == -ENOMEM)
    poll(wait, 1, 10); /* it stays for now */
  return got;
}

/* The next request, which one thread at a time waits for: and sees to it that another one waits for that after it.
 * Returns 0 at the end. */
static int take(struct crfs_loop *loop, struct fuse_buf *request) {
  int got;
  pthread_mutex_lock(&loop->turn);
  do
    got = receive(loop, request);
  while (got < 0);
  if (__atomic_sub_fetch(&loop->idle, 1, __ATOMIC_RELAXED) == 0 && got > 0)
    grow(loop);
  pthread_mutex_unlock(&loop->turn);
  return got > 0;
}

static void *serve(void *argument) {
  struct crfs_loop *loop = argument;
  struct fuse_buf request = {0};
  while (take(loop, &request)) {
    fuse_session_process_buf(loop->fuse, &request);
    __atomic_fetch_add(&loop->idle, 1, __ATOMIC_RELAXED);
  }
  free(request.mem);
  return NULL;
}

/* Where there is one processor, whoever is awake keeps from it whom it waits for. */
static int has_processors(void) {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) > 1;
}

int crfs_loop_begin(struct crfs_loop *loop, struct fuse_session *fuse, int device, int end) {
  loop->fuse = fuse;
  loop->device = device;
  loop->end = end;
  loop->patience_ns = has_processors() ? PATIENCE_NS : 0;
  pthread_mutex_init(&loop->turn, NULL);
  pthread_mutex_lock(&loop->turn);
  int error = grow(loop);
  pthread_mutex_unlock(&loop->turn);
  return error;
}

void crfs_loop_join(struct crfs_loop *loop) {
  for (uint32_t i = 0; i < __atomic_load_n(&loop->count, __ATOMIC_ACQUIRE); i++)
    pthread_join(loop->threads[i], NULL);
}
