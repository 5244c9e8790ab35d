/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/repeats.h"

#include "shared/doorbell.h"

#include <string.h>

#define LIMIT_NS 1000000000ull

void crfs_repeats_begin(struct crfs_repeats *repeats) {
  memset(repeats, 0, sizeof *repeats);
  repeats->limit_ns = LIMIT_NS;
  pthread_mutex_init(&repeats->lock, NULL);
}

void crfs_repeats_note(struct crfs_repeats *repeats, const struct crfs_read *read, int error) {
  if (read->reader == 0)
    return;
  pthread_mutex_lock(&repeats->lock);
  uint32_t count = __atomic_fetch_add(&repeats->count, 1, __ATOMIC_RELAXED);
  repeats->failed[count % CRFS_FAILED_READS] = (struct crfs_failed_read){*read, crfs_now_ns(), error};
  pthread_mutex_unlock(&repeats->lock);
}

static int repeats_it(const struct crfs_read *read, const struct crfs_read *failed) {
  return read->reader == failed->reader && read->node == failed->node && read->offset >= failed->offset &&
         read->offset - failed->offset < failed->size;
}

int crfs_repeats_take(struct crfs_repeats *repeats, const struct crfs_read *read) {
  int error = 0;
  if (__atomic_load_n(&repeats->count, __ATOMIC_RELAXED) == 0)
    return 0;
  const uint64_t now = crfs_now_ns();
  pthread_mutex_lock(&repeats->lock);
  for (size_t n = 0; n < CRFS_FAILED_READS && error == 0; n++) {
    struct crfs_failed_read *failed = &repeats->failed[n];
    if (!repeats_it(read, &failed->read))
      continue;
    error = now - failed->at_ns < repeats->limit_ns ? failed->error : 0;
    failed->error = 0;
  }
  pthread_mutex_unlock(&repeats->lock);
  return error;
}
