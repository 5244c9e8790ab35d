/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Reads that the kernel repeats. Where a read ahead has failed, whoever waits for one of its pages has the kernel read
 * that page once more. It is not to wait as long a second time: it ends as the first read did, unless its bytes have
 * come meanwhile. */

#ifndef CRFS_LOWER_REPEATS_H
#define CRFS_LOWER_REPEATS_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#define CRFS_FAILED_READS 64

struct crfs_read {
  uint64_t node, offset, size;
  pid_t reader; /* the thread; 0: it is not known */
};

struct crfs_failed_read {
  struct crfs_read read;
  uint64_t at_ns;
  int error; /* 0: there is none */
};

struct crfs_repeats {
  pthread_mutex_t lock;
  uint64_t limit_ns;                                 /* a read that comes later is none that the kernel repeats */
  uint32_t count;                                    /* that have failed so far */
  struct crfs_failed_read failed[CRFS_FAILED_READS]; /* the last ones */
};

void crfs_repeats_begin(struct crfs_repeats *repeats);

/* Notes, before it is answered, that a read has failed. Any thread, as below. */
void crfs_repeats_note(struct crfs_repeats *repeats, const struct crfs_read *read, int error);

/* The errno of the read that READ repeats, once; or 0: it repeats none. */
int crfs_repeats_take(struct crfs_repeats *repeats, const struct crfs_read *read);

#endif
