/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "shared/parts.h"

#include <pthread.h>
#include <sched.h>

struct part {
  crfs_part_work *work;
  void *context;
  unsigned number;
  uint64_t first, end;
};

static void *run(void *argument) {
  const struct part *part = argument;
  part->work(part->context, part->number, part->first, part->end);
  return NULL;
}

unsigned crfs_parts_of(uint64_t units, uint64_t grain) {
  cpu_set_t processors;
  uint64_t parts = units / grain;
  if (parts < 2)
    return 1;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0 && parts > (uint64_t)CPU_COUNT(&processors))
    parts = (uint64_t)CPU_COUNT(&processors);
  return parts < CRFS_PARTS_LIMIT ? (unsigned)parts : CRFS_PARTS_LIMIT; /* where the set is too small, there are many */
}

void crfs_parts_run(unsigned parts, uint64_t count, crfs_part_work *work, void *context) {
  struct part all[CRFS_PARTS_LIMIT];
  pthread_t threads[CRFS_PARTS_LIMIT];
  uint64_t first = 0;
  for (unsigned i = 0; i < parts; i++) {
    uint64_t end = first + (count - first) / (parts - i);
    all[i] = (struct part){.work = work, .context = context, .number = i, .first = first, .end = end};
    first = end;
  }
  unsigned started = 1;
  while (started < parts && pthread_create(&threads[started], NULL, run, &all[started]) == 0)
    started++;
  run(&all[0]);
  for (unsigned i = started; i < parts; i++)
    run(&all[i]);
  for (unsigned i = 1; i < started; i++)
    pthread_join(threads[i], NULL);
}
