/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/ask.h"

#define LOOK_NS 50000000ull /* between two looks at whether the daemon lives */

static uint64_t next_look(uint64_t deadline_ns) {
  uint64_t end = crfs_now_ns() + LOOK_NS;
  return end < deadline_ns ? end : deadline_ns;
}

static int errno_of(uint32_t result) {
  uint32_t error = result - CRFS_DONE;
  return error < CRFS_ERRNO_LIMIT ? (int)error : EIO;
}

/* A request in the ring of a daemon that is gone is simply left there: its ring serves no other daemon. */
int crfs_ask(struct crfs_connection *connection, uint32_t number, uint32_t inode, uint32_t chunks, uint64_t deadline_ns,
             uint64_t patience_ns) {
  uint32_t position, result;
  struct crfs_request *request;
  if (crfs_doorbell_silence(connection->doorbell) >= patience_ns)
    deadline_ns = next_look(deadline_ns);
  if (crfs_control_is_gone(&connection->control))
    return CRFS_ASK_GONE;
  while ((request = crfs_ring_reserve(connection->ring, &position, next_look(deadline_ns))) == NULL) {
    if (crfs_control_is_gone(&connection->control))
      return CRFS_ASK_GONE;
    if (crfs_now_ns() >= deadline_ns)
      return ETIMEDOUT;
  }
  request->layer = number;
  request->inode = inode;
  request->chunk_first = 0;
  request->chunk_count = chunks;
  crfs_ring_publish(request, position, connection->doorbell);

  while ((result = crfs_ring_wait(request, position, next_look(deadline_ns))) == CRFS_PENDING) {
    if (crfs_control_is_gone(&connection->control))
      return CRFS_ASK_GONE;
    if (crfs_now_ns() < deadline_ns)
      continue;
    result = crfs_ring_abandon(request, position);
    if (result == CRFS_ABANDONED)
      return ETIMEDOUT;
    break;
  }
  crfs_ring_free(connection->ring, position);
  return errno_of(result);
}
