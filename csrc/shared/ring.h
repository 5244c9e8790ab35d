/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The request ring: how a mount asks the daemon's workers for the content of files. Requests only, never data.
 *
 * One ring per mount, in a sealed memfd that the mount creates and sends to the daemon: a mount that dies or scribbles
 * harms no ring but its own. Threads of the mount produce; all workers of the daemon consume.
 *
 *   struct crfs_ring            one page: identity, the producers' head, counters
 *   struct crfs_request [256]   one page and a few: position p of the stream lives in request p % CRFS_RING_SIZE
 *   struct crfs_trace           what was opened last, while somebody watches: shared/trace.h
 *
 * A request's life, told by its `turn` for position p:
 *
 *   p       free: a producer may reserve it by moving `head` from p to p + 1, and fill it in
 *   p + 1   published: a consumer may claim it by moving its tail from p to p + 1
 *   p + CRFS_RING_SIZE   free again, for the next lap; set by the producer once it has read `result`
 *
 * Positions and turns are free-running 32-bit numbers. The consumers' tail is private to the daemon, and so no producer
 * can disturb it. A producer that dies between reserving and publishing stops the tail, and thereby only its own ring,
 * which goes away with its control connection.
 *
 * `result` is the completion word, a futex: CRFS_PENDING + lap until a worker stores CRFS_DONE + errno. A producer that
 * gives up waiting stores CRFS_ABANDONED + lap in the same way, by compare-and-swap from the pending word; whichever
 * side comes second frees the request. The lap, p / CRFS_RING_SIZE, makes it harmless to complete a request twice, or
 * long after: that is what whoever cleans up after a dead worker does. `progress` tells a producer whether it waits for
 * something that moves: how long it waits is counted from the last time that this word changed.
 *
 * The doorbell is one page in a memfd of the daemon, shared with all its mounts: idle workers sleep on its `rings`. The
 * daemon's main thread notes there every CRFS_BEAT_INTERVAL_MS that it lives.
 *
 * Compiles as C11 and C++17, hence __atomic builtins in inline functions rather than _Atomic.
 */

#ifndef CRFS_RING_H
#define CRFS_RING_H

#include "shared/trace.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#ifndef CRFS_STATIC_ASSERT
#define CRFS_STATIC_ASSERT static_assert
#endif
#else
#ifndef CRFS_STATIC_ASSERT
#define CRFS_STATIC_ASSERT _Static_assert
#endif
#endif

#define CRFS_RING_MAGIC 0x474e495253465243ull /* "CRFSRING" */
#define CRFS_RING_VERSION 4u
#define CRFS_RING_SIZE 256u /* requests; a power of two */
#define CRFS_BEAT_INTERVAL_MS 1000

struct crfs_request {
  uint32_t turn;        /* whose turn it is, see above; also a futex for producers that wait for room */
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

struct crfs_ring {
  uint64_t magic;
  uint32_t version;
  uint32_t size; /* CRFS_RING_SIZE */
  uint32_t reserved0[12];
  /* a line of its own: producers contend for it */
  uint32_t head;
  uint32_t waiters; /* producers that are about to wait for room, or wait */
  uint32_t reserved1[14];
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
  uint8_t reserved2[3912];
  struct crfs_request requests[CRFS_RING_SIZE];
  struct crfs_trace trace;
};

struct crfs_doorbell {
  uint32_t rings;    /* counts publications; a futex for idle workers */
  uint32_t sleepers; /* workers that are about to wait, or wait */
  uint64_t beat_ns;  /* the daemon's last sign of life, as of crfs_now_ns; 0: it gives none */
  uint8_t reserved[4080];
};

CRFS_STATIC_ASSERT(sizeof(struct crfs_request) == 64, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, head) == 64, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, hits) == 128, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_ring, requests) == 4096, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_doorbell) == 4096, "layout");
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

/* --- futexes ------------------------------------------------------------------------------------------------- */

/* Waits while *WORD is EXPECTED, at most until DEADLINE_NS of CLOCK_MONOTONIC. Returns 0, or the errno: ETIMEDOUT,
 * EINTR, EAGAIN (the word had changed). The caller looks at the word again in every case. */
static inline int crfs_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline_ns) {
  struct timespec ts = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
  long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, &ts, NULL, FUTEX_BITSET_MATCH_ANY);
  return r < 0 ? errno : 0;
}

/* Wakes up to COUNT of those that wait. */
static inline void crfs_futex_wake(const uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static inline uint64_t crfs_now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- the doorbell -------------------------------------------------------------------------------------------- */

/* Tells the workers that something was published. One waking call per publication that finds somebody asleep. */
static inline void crfs_doorbell_ring(struct crfs_doorbell *bell) {
  /* seq_cst, against the sleeper's pair in crfs_doorbell_wait: either it sees the new count, or we see it asleep */
  __atomic_fetch_add(&bell->rings, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&bell->sleepers, __ATOMIC_SEQ_CST) != 0)
    crfs_futex_wake(&bell->rings, 1);
}

static inline void crfs_doorbell_beat(struct crfs_doorbell *bell) {
  __atomic_store_n(&bell->beat_ns, crfs_now_ns(), __ATOMIC_RELAXED);
}

/* Nanoseconds since the daemon's last sign of life; 0 where it gives none. */
static inline uint64_t crfs_doorbell_silence(const struct crfs_doorbell *bell) {
  uint64_t beat = __atomic_load_n(&bell->beat_ns, __ATOMIC_RELAXED), now = crfs_now_ns();
  return beat == 0 || beat > now ? 0 : now - beat;
}

/* The count to hand to crfs_doorbell_wait; read it before looking for work. */
static inline uint32_t crfs_doorbell_count(const struct crfs_doorbell *bell) {
  return __atomic_load_n(&bell->rings, __ATOMIC_SEQ_CST);
}

/* Sleeps until the doorbell rings after COUNT was read, or until DEADLINE_NS. */
static inline void crfs_doorbell_wait(struct crfs_doorbell *bell, uint32_t count, uint64_t deadline_ns) {
  __atomic_fetch_add(&bell->sleepers, 1, __ATOMIC_SEQ_CST);
  crfs_futex_wait(&bell->rings, count, deadline_ns);
  __atomic_fetch_sub(&bell->sleepers, 1, __ATOMIC_SEQ_CST);
}

/* --- producers ----------------------------------------------------------------------------------------------- */

static inline void crfs_ring_init(struct crfs_ring *ring) {
  ring->magic = CRFS_RING_MAGIC;
  ring->version = CRFS_RING_VERSION;
  ring->size = CRFS_RING_SIZE;
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    ring->requests[i].turn = i;
}

/* Sleeps until R is freed after its TURN was read, or until DEADLINE_NS. */
static inline void crfs_ring_wait_for_room(struct crfs_ring *ring, const struct crfs_request *r, uint32_t turn,
                                           uint64_t deadline_ns) {
  /* seq_cst, against the pair in crfs_ring_free; the kernel looks at the turn once more, after the count has risen */
  __atomic_fetch_add(&ring->waiters, 1, __ATOMIC_SEQ_CST);
  crfs_futex_wait(&r->turn, turn, deadline_ns);
  __atomic_fetch_sub(&ring->waiters, 1, __ATOMIC_SEQ_CST);
}

/* Reserves a request, waiting for room until DEADLINE_NS. Returns it, with *POSITION set, or NULL: no room in time.
 * The caller fills in layer, inode and chunks, and must then publish. Any thread of the mount. */
static inline struct crfs_request *crfs_ring_reserve(struct crfs_ring *ring, uint32_t *position, uint64_t deadline_ns) {
  uint32_t p = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
  for (;;) {
    struct crfs_request *r = &ring->requests[p % CRFS_RING_SIZE];
    /* acquire, against the release in crfs_ring_free: the last lap's words are no longer read by anybody */
    uint32_t turn = __atomic_load_n(&r->turn, __ATOMIC_ACQUIRE);
    int32_t lap = (int32_t)(turn - p);
    if (lap == 0) {
      if (__atomic_compare_exchange_n(&ring->head, &p, p + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        *position = p;
        __atomic_store_n(&r->progress, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&r->result, CRFS_PENDING | crfs_ring_lap(p), __ATOMIC_RELAXED);
        return r;
      }
    } else if (lap < 0) {
      if (crfs_now_ns() >= deadline_ns)
        return NULL;
      crfs_ring_wait_for_room(ring, r, turn, deadline_ns);
      p = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    } else {
      uint32_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
      if (head == p && crfs_now_ns() >= deadline_ns)
        return NULL; /* somebody wrote nonsense into the ring: nobody took this position */
      p = head;
    }
  }
}

/* Publishes what crfs_ring_reserve gave. */
static inline void crfs_ring_publish(struct crfs_request *r, uint32_t position, struct crfs_doorbell *bell) {
  /* release, against the acquire in crfs_ring_claim: the consumer sees the filled-in fields */
  __atomic_store_n(&r->turn, position + 1, __ATOMIC_RELEASE);
  crfs_doorbell_ring(bell);
}

/* Frees a request whose result was read, or that was abandoned and is now complete. Wakes whoever waits for room. */
static inline void crfs_ring_free(struct crfs_ring *ring, uint32_t position) {
  struct crfs_request *r = &ring->requests[position % CRFS_RING_SIZE];
  /* seq_cst, against the pair in crfs_ring_wait_for_room: either a waiter finds the new turn, or we find it waiting.
   * Includes the release that the acquire in crfs_ring_reserve needs. */
  __atomic_store_n(&r->turn, position + CRFS_RING_SIZE, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&ring->waiters, __ATOMIC_SEQ_CST) != 0)
    crfs_futex_wake(&r->turn, INT_MAX);
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
  uint32_t p = __atomic_load_n(tail, __ATOMIC_RELAXED);
  for (;;) {
    struct crfs_request *r = &ring->requests[p % CRFS_RING_SIZE];
    if (__atomic_load_n(&r->turn, __ATOMIC_ACQUIRE) != p + 1)
      return NULL;
    if (__atomic_compare_exchange_n(tail, &p, p + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
      *position = p;
      out->layer = __atomic_load_n(&r->layer, __ATOMIC_RELAXED);
      out->inode = __atomic_load_n(&r->inode, __ATOMIC_RELAXED);
      out->chunk_first = __atomic_load_n(&r->chunk_first, __ATOMIC_RELAXED);
      out->chunk_count = __atomic_load_n(&r->chunk_count, __ATOMIC_RELAXED);
      out->flags = __atomic_load_n(&r->flags, __ATOMIC_RELAXED);
      return r;
    }
  }
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
