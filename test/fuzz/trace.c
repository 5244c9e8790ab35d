/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: whatever a mount writes into its trace, the daemon reads a bounded number of opens, and nothing but the
 * trace. The first 4 bytes are the position, the next 4 the head, then come the opens. */

#include "shared/ring.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t position = 0, missed = 0, reads = 0;
  struct crfs_opening out;
  if (size < 2 * sizeof position)
    return -1;
  struct crfs_trace *trace = calloc(1, sizeof *trace);
  memcpy(&position, data, sizeof position);
  memcpy(&trace->head, data + sizeof position, sizeof trace->head);
  size_t rest = size - 2 * sizeof position;
  memcpy(trace->openings, data + 2 * sizeof position, rest < sizeof trace->openings ? rest : sizeof trace->openings);
  while (crfs_trace_read(trace, &position, &out, &missed) == 1)
    if (++reads > CRFS_TRACE_SIZE)
      abort();
  free(trace);
  return 0;
}
