/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: whatever a mount writes into its ring, the daemon's side claims and completes a bounded number of
 * requests, and touches nothing but the ring. The first 4 bytes are the tail, then comes the ring. */

#include "shared/ring.h"

#include <stdlib.h>
#include <string.h>

#define CLAIMS (4 * CRFS_RING_SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t tail = 0, position;
  struct crfs_ring *ring = malloc(sizeof *ring);
  struct crfs_request out;
  crfs_ring_init(ring);
  if (size >= sizeof tail) {
    memcpy(&tail, data, sizeof tail);
    size_t rest = size - sizeof tail;
    /* the header counts for little: what comes goes into the queue, and into the requests behind it */
    const size_t room = sizeof *ring - offsetof(struct crfs_ring, queue);
    memcpy(ring->queue, data + sizeof tail, rest < room ? rest : room);
  }
  unsigned claims = 0;
  for (struct crfs_request *r; (r = crfs_ring_claim(ring, &tail, &position, &out)) != NULL; claims++) {
    if (r < ring->requests || r >= ring->requests + CRFS_RING_SIZE || claims > CLAIMS)
      abort();
    crfs_ring_complete(ring, position, out.inode % 2 ? EIO : 0);
    crfs_ring_complete(ring, position, EAGAIN);
  }
  if (crfs_ring_depth(ring, tail) > CRFS_RING_SIZE)
    abort();
  free(ring);
  return 0;
}
