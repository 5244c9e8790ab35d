/* SPDX-License-Identifier: GPL-3.0-or-later */

/* shared/parts.c with processors and threads of the test's making: as many as it says. */

#ifndef CRFS_TEST_OWN_THREADS_H
#define CRFS_TEST_OWN_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

static int processors = 1;      /* that the process may run on */
static int threads_to_have = 0; /* that can be created; then there are no more */
static int threads_had = 0;     /* that were created */

static int offered_processors(pid_t pid, size_t size, cpu_set_t *set) {
  (void)pid;
  memset(set, 0, size);
  for (int i = 0; i < processors; i++)
    CPU_SET(i, set);
  return 0;
}

static int create_some(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  if (threads_had == threads_to_have)
    return EAGAIN;
  threads_had++;
  return pthread_create(thread, attributes, body, argument);
}

#define sched_getaffinity offered_processors
#define pthread_create create_some
#include "shared/parts.c"
#undef pthread_create

#endif
