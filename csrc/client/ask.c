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

/* By atomic stores: where the daemon freed what another thread had abandoned, the order of both goes by the daemon. */
static void put(struct crfs_connection *connection, const struct crfs_wanted *wanted, struct crfs_request *request,
                uint32_t position) {
  __atomic_store_n(&request->layer, wanted->number, __ATOMIC_RELAXED);
  __atomic_store_n(&request->inode, wanted->inode, __ATOMIC_RELAXED);
  __atomic_store_n(&request->chunk_first, wanted->first, __ATOMIC_RELAXED);
  __atomic_store_n(&request->chunk_count, wanted->count, __ATOMIC_RELAXED);
  __atomic_store_n(&request->flags, wanted->flags, __ATOMIC_RELAXED);
  crfs_ring_publish(connection->ring, position, connection->doorbell);
}

/* Publishes a request. Returns it, or NULL: no room in time, or nobody to ask. */
static struct crfs_request *publish(struct crfs_connection *connection, const struct crfs_wanted *wanted,
                                    uint32_t *position, uint64_t deadline_ns) {
  struct crfs_request *request;
  while ((request = crfs_ring_reserve(connection->ring, position, next_look(deadline_ns))) == NULL)
    if (crfs_control_is_gone(&connection->control) || crfs_now_ns() >= deadline_ns)
      return NULL;
  put(connection, wanted, request, *position);
  return request;
}

static int has_gone(const struct crfs_asker *asker) {
  return asker != NULL && asker->has_gone(asker->self);
}

/* A request in the ring of a daemon that is gone is simply left there: its ring serves no other daemon. */
int crfs_ask(struct crfs_connection *connection, const struct crfs_wanted *wanted, uint64_t timeout_ns,
             uint64_t *deadline_ns) {
  uint32_t position, result, seen = 0;
  uint64_t deadline = *deadline_ns;
  if (crfs_doorbell_silence(connection->doorbell) >= timeout_ns)
    deadline = next_look(deadline);
  if (crfs_control_is_gone(&connection->control))
    return CRFS_ASK_GONE;
  struct crfs_request *request = publish(connection, wanted, &position, deadline);
  if (request == NULL)
    return crfs_control_is_gone(&connection->control) ? CRFS_ASK_GONE : ETIMEDOUT;

  while ((result = crfs_ring_wait(request, position, next_look(deadline))) == CRFS_PENDING) {
    if (crfs_control_is_gone(&connection->control))
      return CRFS_ASK_GONE;
    uint32_t progress = __atomic_load_n(&request->progress, __ATOMIC_RELAXED);
    if (progress != seen) {
      seen = progress;
      deadline = crfs_now_ns() + timeout_ns;
      *deadline_ns = deadline;
    }
    const int gone = has_gone(wanted->asker);
    if (crfs_now_ns() < deadline && !gone)
      continue;
    result = crfs_ring_abandon(request, position);
    if (result == CRFS_ABANDONED)
      return gone ? EINTR : ETIMEDOUT;
    break;
  }
  crfs_ring_free(connection->ring, position);
  return errno_of(result);
}

void crfs_ask_ahead(struct crfs_connection *connection, const struct crfs_wanted *wanted) {
  uint32_t position;
  struct crfs_request *request = crfs_ring_reserve(connection->ring, &position, 0);
  if (request == NULL)
    return;
  put(connection, wanted, request, position);
  if (crfs_ring_abandon(request, position) != CRFS_ABANDONED)
    crfs_ring_free(connection->ring, position);
}
