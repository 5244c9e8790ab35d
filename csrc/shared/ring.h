/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The request ring: how a mount asks the daemon's workers for the content of files. Requests only, never data.
 *
 * One ring per mount, in a sealed memfd that the mount creates and sends to the daemon: a mount that dies or scribbles
 * harms no ring but its own. Threads of the mount produce; all workers of the daemon consume.
 *
 *   struct crfs_ring            one page: identity, the queue's head, counters
 *   struct crfs_ticket [512]    the queue: which requests are for a worker to take, in order
 *   struct crfs_request [512]   the requests: position p lives in request p % CRFS_RING_SIZE
 *   struct crfs_trace           what was opened last, while somebody watches: shared/trace.h
 *
 * A request stays in its place until it is answered, which may take as long as a network does. The others go by: any
 * place that is free will do, and the order in which workers take requests is in the queue.
 *
 * A request's life, told by its `turn` for position p:
 *
 *   p       free: a producer may reserve it by moving its turn from p to p + 1, and fill it in
 *   p + 1   reserved, published, claimed, answered
 *   p + CRFS_RING_SIZE   free again, for the next lap; set by the producer once it has read `result`
 *
 * To publish it, a producer draws ticket t, by moving `head` from t to t + 1, and fills it in; its turn, t + 1, tells a
 * consumer that it may claim it, by moving its tail from t to t + 1. A ticket needs no freeing: there are as many as
 * requests, and each is in the queue once at the most, so that what was there a lap ago has been claimed.
 *
 * Positions, tickets and turns are free-running 32-bit numbers. The consumers' tail is private to the daemon, and so no
 * producer can disturb it. A producer that dies while it fills in its ticket stops the tail, and thereby only its own
 * ring, which goes away with its control connection.
 *
 * `result` is the completion word, a futex: CRFS_PENDING + lap until a worker stores CRFS_DONE + errno. A producer that
 * gives up waiting stores CRFS_ABANDONED + lap in the same way, by compare-and-swap from the pending word; whichever
 * side comes second frees the request. The lap, p / CRFS_RING_SIZE, makes it harmless to complete a request twice, or
 * long after: that is what whoever cleans up after a dead worker does. `progress` tells a producer whether it waits for
 * something that moves: how long it waits is counted from the last time that this word changed.
 *
 * Compiles as C11 and C++17, hence __atomic builtins in inline functions rather than _Atomic.
 */

#ifndef CRFS_RING_H
#define CRFS_RING_H

#include "shared/doorbell.h"
#include "shared/trace.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CRFS_RING_MAGIC 0x474e495253465243ull /* "CRFSRING" */
#define CRFS_RING_VERSION 5u
#ifndef CRFS_RING_SIZE      /* a test that tries every order of steps has a small one */
#define CRFS_RING_SIZE 512u /* requests; a power of two */
#endif

struct crfs_request {
  uint32_t turn;        /* whose turn it is, see above */
  uint32_t result;      /* CRFS_PENDING or CRFS_ABANDONED + lap, CRFS_DONE + errno; a futex */
  uint32_t layer;       /* number that the daemon gave to the layer */
  uint32_t inode;       /* inode of the layer's index; CRFS_NO_INODE: the chunks are those of many files */
  uint32_t chunk_first; /* chunks wanted: those of the file, counted from its first; without inode, from the layer's */
  uint32_t chunk_count;
  uint32_t flags;    /* CRFS_REQUEST_* */
  uint32_t progress; /* counted up by the daemon whenever bytes for this request arrive or are filled in */
  uint32_t reserved[8];
};

/* crfs_request.flags */
#define CRFS_REQUEST_QUICK 1u /* whoever asks does not wait for a network: EINPROGRESS says that the bytes come */

struct crfs_ticket {
  uint32_t turn; /* see above */
  uint32_t position;
};

struct crfs_ring {
  uint64_t magic;
  uint32_t version;
  uint32_t size; /* CRFS_RING_SIZE */
  uint32_t reserved0[12];
  /* a line of its own: producers contend for it */
  uint32_t head;
  uint32_t freed;   /* counts requests that were freed; a futex for producers that wait for room */
  uint32_t waiters; /* producers that are about to wait for room, or wait */
  uint32_t reserved1[13];
  /* written by the mount, read by the daemon for its status */
  uint64_t hits;      /* opens that found their object */
  uint64_t hit_bytes; /* sizes of those files */
  uint64_t misses;    /* opens that had to ask */
  uint64_t errors;    /* opens that failed */
  uint64_t waited_ns; /* time that opens spent waiting */
  /* how files are read before all of them is there: CRFS_LAZY_*, with the errno behind it */
  uint32_t lazy;
  uint32_t lazy_error;
  uint64_t lazy_opens; /* opens that did not wait, and had their reads wait instead */
  uint32_t unseen;     /* 1: the kernel opens by itself what is published: neither counted nor traced */
  uint8_t reserved2[3908];
  struct crfs_ticket queue[CRFS_RING_SIZE];
  struct crfs_request requests[CRFS_RING_SIZE];
  struct crfs_trace trace;
};

CRFS_STATIC_ASSERT(sizeof(struct crfs_request) == 64, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, head) == 64, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, hits) == 128, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, queue) == 4096, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, requests) == 4096 + 8 * CRFS_RING_SIZE, "layout");
CRFS_STATIC_ASSERT((CRFS_RING_SIZE & (CRFS_RING_SIZE - 1)) == 0, "a power of two");

#define CRFS_NO_INODE UINT32_MAX

/* values of crfs_ring.lazy */
#define CRFS_LAZY_UNTRIED 0u    /* nothing has been opened yet that had to be fetched */
#define CRFS_LAZY_WORKS 1u      /* reads wait, chunk by chunk: lazy/server.h */
#define CRFS_LAZY_IMPOSSIBLE 2u /* no private FUSE mount can be made here: opens wait, for whole files */

/* values of crfs_request.result; the first two are flags above the 24 bits of a lap */
#define CRFS_DONE 0u
#define CRFS_ABANDONED 0x40000000u
#define CRFS_PENDING 0x80000000u

static inline uint32_t crfs_ring_lap(uint32_t position) {
  return position / CRFS_RING_SIZE;
}

/* --- producers ----------------------------------------------------------------------------------------------- */

static inline void crfs_ring_init(struct crfs_ring *ring) {
  ring->magic = CRFS_RING_MAGIC;
  ring->version = CRFS_RING_VERSION;
  ring->size = CRFS_RING_SIZE;
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    ring->requests[i].turn = i;
}

/* Takes a request that is free. Returns it, with *POSITION set, or NULL: there is none. Where nobody waits for long,
 * the first one that it looks at is free. */
static inline struct crfs_request *crfs_ring_take_free(struct crfs_ring *ring, uint32_t *position) {
  const uint32_t start = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++) {
    const uint32_t place = (start + i) % CRFS_RING_SIZE;
    struct crfs_request *r = &ring->requests[place];
    uint32_t p = __atomic_load_n(&r->turn, __ATOMIC_SEQ_CST);
    /* acquire, against the release in crfs_ring_free: the last lap's words are no longer read by anybody */
    if (p % CRFS_RING_SIZE != place ||
        !__atomic_compare_exchange_n(&r->turn, &p, p + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      continue;
    *position = p;
    __atomic_store_n(&r->progress, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&r->result, CRFS_PENDING | crfs_ring_lap(p), __ATOMIC_RELAXED);
    return r;
  }
  return NULL;
}

/* Sleeps until a request is freed after FREED was read, or until DEADLINE_NS. */
static inline void crfs_ring_wait_for_room(struct crfs_ring *ring, uint32_t freed, uint64_t deadline_ns) {
  /* seq_cst, against the pair in crfs_ring_free; the kernel looks at the count once more, after `waiters` has risen */
  __atomic_fetch_add(&ring->waiters, 1, __ATOMIC_SEQ_CST);
  crfs_futex_wait(&ring->freed, freed, deadline_ns);
  __atomic_fetch_sub(&ring->waiters, 1, __ATOMIC_SEQ_CST);
}

/* Reserves a request, waiting for room until DEADLINE_NS. Returns it, with *POSITION set, or NULL: no room in time.
 * The caller fills in layer, inode and chunks, and must then publish. Any thread of the mount. */
static inline struct crfs_request *crfs_ring_reserve(struct crfs_ring *ring, uint32_t *position, uint64_t deadline_ns) {
  for (;;) {
    uint32_t freed = __atomic_load_n(&ring->freed, __ATOMIC_SEQ_CST);
    struct crfs_request *r = crfs_ring_take_free(ring, position);
    if (r != NULL || crfs_now_ns() >= deadline_ns)
      return r;
    crfs_ring_wait_for_room(ring, freed, deadline_ns);
  }
}

/* Publishes what crfs_ring_reserve gave. */
static inline void crfs_ring_publish(struct crfs_ring *ring, uint32_t position, struct crfs_doorbell *bell) {
  uint32_t t = __atomic_fetch_add(&ring->head, 1, __ATOMIC_RELAXED);
  struct crfs_ticket *ticket = &ring->queue[t % CRFS_RING_SIZE];
  __atomic_store_n(&ticket->position, position, __ATOMIC_RELAXED);
  /* release, against the acquire in crfs_ring_claim: the consumer sees the filled-in fields */
  __atomic_store_n(&ticket->turn, t + 1, __ATOMIC_RELEASE);
  crfs_doorbell_ring(bell);
}

/* Frees a request whose result was read, or that was abandoned and is now complete. Wakes one that waits for room. */
static inline void crfs_ring_free(struct crfs_ring *ring, uint32_t position) {
  struct crfs_request *r = &ring->requests[position % CRFS_RING_SIZE];
  /* includes the release that the acquire in crfs_ring_take_free needs */
  __atomic_store_n(&r->turn, position + CRFS_RING_SIZE, __ATOMIC_SEQ_CST);
  /* seq_cst, against the pair in crfs_ring_wait_for_room: either a waiter finds the new count, or we find it waiting */
  __atomic_fetch_add(&ring->freed, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&ring->waiters, __ATOMIC_SEQ_CST) != 0)
    crfs_futex_wake(&ring->freed, 1);
}

/* Waits for the result, at most until DEADLINE_NS. Returns CRFS_DONE + errno once it is there, else CRFS_PENDING. */
static inline uint32_t crfs_ring_wait(const struct crfs_request *r, uint32_t position, uint64_t deadline_ns) {
  const uint32_t pending = CRFS_PENDING | crfs_ring_lap(position);
  for (;;) {
    /* acquire, against the release in crfs_ring_complete: what the worker did happened before */
    uint32_t result = __atomic_load_n(&r->result, __ATOMIC_ACQUIRE);
    if (result != pending)
      return result;
    if (crfs_now_ns() >= deadline_ns)
      return CRFS_PENDING;
    crfs_futex_wait(&r->result, pending, deadline_ns);
  }
}

/* Gives up on a request. Returns the result if it came after all (the caller then frees the request), else
 * CRFS_ABANDONED: the consumer will free it. */
static inline uint32_t crfs_ring_abandon(struct crfs_request *r, uint32_t position) {
  uint32_t lap = crfs_ring_lap(position), result = CRFS_PENDING | lap;
  if (__atomic_compare_exchange_n(&r->result, &result, CRFS_ABANDONED | lap, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return CRFS_ABANDONED;
  return result;
}

/* --- consumers ----------------------------------------------------------------------------------------------- */

/* Claims the next published request. TAIL is the consumers' own, shared by all workers. Returns it, with *POSITION set
 * and its words copied to *OUT (they are the producer's memory: the copy is what gets checked and used), or NULL. */
static inline struct crfs_request *crfs_ring_claim(struct crfs_ring *ring, uint32_t *tail, uint32_t *position,
                                                   struct crfs_request *out) {
  uint32_t t = __atomic_load_n(tail, __ATOMIC_RELAXED);
  do {
    const struct crfs_ticket *ticket = &ring->queue[t % CRFS_RING_SIZE];
    if (__atomic_load_n(&ticket->turn, __ATOMIC_ACQUIRE) != t + 1)
      return NULL;
    *position = __atomic_load_n(&ticket->position, __ATOMIC_RELAXED);
  } while (!__atomic_compare_exchange_n(tail, &t, t + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  struct crfs_request *r = &ring->requests[*position % CRFS_RING_SIZE];
  out->layer = __atomic_load_n(&r->layer, __ATOMIC_RELAXED);
  out->inode = __atomic_load_n(&r->inode, __ATOMIC_RELAXED);
  out->chunk_first = __atomic_load_n(&r->chunk_first, __ATOMIC_RELAXED);
  out->chunk_count = __atomic_load_n(&r->chunk_count, __ATOMIC_RELAXED);
  out->flags = __atomic_load_n(&r->flags, __ATOMIC_RELAXED);
  return r;
}

/* Tells whoever waits for a request that there is progress. One that is told too late, of a request that was answered
 * meanwhile, makes the next one of its place wait a little longer at the most. */
static inline void crfs_ring_progress(struct crfs_ring *ring, uint32_t position) {
  struct crfs_request *r = &ring->requests[position % CRFS_RING_SIZE];
  if (__atomic_load_n(&r->result, __ATOMIC_RELAXED) == (CRFS_PENDING | crfs_ring_lap(position)))
    __atomic_fetch_add(&r->progress, 1, __ATOMIC_RELAXED);
}

/* Completes a request with an errno, or 0, unless that was done before. */
static inline void crfs_ring_complete(struct crfs_ring *ring, uint32_t position, uint32_t error) {
  struct crfs_request *r = &ring->requests[position % CRFS_RING_SIZE];
  uint32_t lap = crfs_ring_lap(position), found = CRFS_PENDING | lap;
  if (__atomic_compare_exchange_n(&r->result, &found, CRFS_DONE + error, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    crfs_futex_wake(&r->result, INT_MAX);
  else if (found == (CRFS_ABANDONED | lap) &&
           __atomic_compare_exchange_n(&r->result, &found, CRFS_DONE, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    crfs_ring_free(ring, position);
}

/* Requests published and not yet claimed, for a status display. */
static inline uint32_t crfs_ring_depth(const struct crfs_ring *ring, uint32_t tail) {
  uint32_t depth = __atomic_load_n(&ring->head, __ATOMIC_RELAXED) - tail;
  return depth > CRFS_RING_SIZE ? CRFS_RING_SIZE : depth;
}

#ifdef __cplusplus
}
#endif

#endif
