/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How shared/parts.c divides a range between threads. */

#include "native/check.h"
#include "native/own-threads.h"

#define PARTS CRFS_PARTS_LIMIT

struct visit {
  uint64_t times[16], of_part[CRFS_PARTS_LIMIT];
};

static void visit(void *context, unsigned part, uint64_t first, uint64_t end) {
  struct visit *seen = context;
  for (uint64_t i = first; i < end; i++)
    seen->times[i]++;
  seen->of_part[part] = end - first;
}

static void parts_make_up_the_range(void) {
  threads_to_have = 1000;
  threads_had = 0;
  for (unsigned parts = 1; parts <= PARTS; parts++)
    for (uint64_t count = 0; count <= 16; count++) {
      struct visit seen = {0};
      crfs_parts_run(parts, count, visit, &seen);
      for (uint64_t i = 0; i < 16; i++)
        CHECK(seen.times[i] == (i < count));
      for (unsigned i = 0; i < parts; i++)
        CHECK(seen.of_part[i] - count / parts <= 1);
    }
}

static void parts_are_worth_a_thread(void) {
  processors = 3;
  CHECK(crfs_parts_of(0, 10) == 1);
  CHECK(crfs_parts_of(19, 10) == 1);
  CHECK(crfs_parts_of(20, 10) == 2);
  CHECK(crfs_parts_of(1000, 10) == 3);
  processors = 64;
  CHECK(crfs_parts_of(UINT64_MAX, 10) == PARTS);
}

int main(void) {
  parts_make_up_the_range();
  parts_are_worth_a_thread();
  printf("checks %lu\n", checks);
  return 0;
}
