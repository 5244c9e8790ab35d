/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The trace of a mount: what it opened last, and how long that waited. Stands behind the requests of the mount's ring.
 * A file that is read before all of it is there has an entry for its first read instead, and one for each that waits.
 *
 * The daemon switches it on while somebody watches, the mount notes each open then, and the daemon reads along without
 * taking anything away. Nobody waits for anybody: a reader that is slower than CRFS_TRACE_SIZE opens misses some, and
 * knows how many. An entry's `turn` is its free-running position + 1 once the entry is whole, and 0 while it is
 * written.
 */

#ifndef CRFS_TRACE_H
#define CRFS_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define CRFS_TRACE_SIZE 2048u /* entries; a power of two */

struct crfs_opening {
  uint32_t turn;
  uint32_t layer;     /* number that the daemon gave to the layer */
  uint32_t inode;     /* inode of the layer's index */
  uint32_t error;     /* errno, or 0 */
  uint64_t at_ns;     /* when it ended, by CLOCK_MONOTONIC */
  uint64_t waited_ns; /* 0: its content was there */
};

struct crfs_trace {
  uint32_t on;   /* set by the daemon */
  uint32_t head; /* positions given out by the mount */
  uint32_t reserved[14];
  struct crfs_opening openings[CRFS_TRACE_SIZE];
};

static inline void crfs_trace_switch(struct crfs_trace *trace, uint32_t on) {
  __atomic_store_n(&trace->on, on, __ATOMIC_RELAXED);
}

static inline int crfs_trace_is_on(const struct crfs_trace *trace) {
  return __atomic_load_n(&trace->on, __ATOMIC_RELAXED) != 0;
}

/* Notes an open; `turn` is filled in. Any thread of the mount. */
static inline void crfs_trace_note(struct crfs_trace *trace, const struct crfs_opening *opening) {
  uint32_t p = __atomic_fetch_add(&trace->head, 1, __ATOMIC_RELAXED);
  struct crfs_opening *to = &trace->openings[p % CRFS_TRACE_SIZE];
  __atomic_store_n(&to->turn, 0, __ATOMIC_RELAXED);
  /* release, against the acquires in crfs_trace_read: who sees a new word sees the 0, too */
  __atomic_store_n(&to->layer, opening->layer, __ATOMIC_RELEASE);
  __atomic_store_n(&to->inode, opening->inode, __ATOMIC_RELEASE);
  __atomic_store_n(&to->error, opening->error, __ATOMIC_RELEASE);
  __atomic_store_n(&to->at_ns, opening->at_ns, __ATOMIC_RELEASE);
  __atomic_store_n(&to->waited_ns, opening->waited_ns, __ATOMIC_RELEASE);
  /* release, against the acquire in crfs_trace_read: who sees the turn sees the words */
  __atomic_store_n(&to->turn, p + 1, __ATOMIC_RELEASE);
}

/* The position of the open that is noted next. */
static inline uint32_t crfs_trace_head(const struct crfs_trace *trace) {
  return __atomic_load_n(&trace->head, __ATOMIC_RELAXED);
}

/* Copies the open at *POSITION to *OUT, and moves on. Returns 1, or 0: it is not there yet, for now. What was
 * overwritten is left out, and counted in *MISSED. All words of *OUT are the mount's own, to be checked by whoever uses
 * them. */
static inline int crfs_trace_read(const struct crfs_trace *trace, uint32_t *position, struct crfs_opening *out,
                                  uint32_t *missed) {
  uint32_t head = crfs_trace_head(trace), behind = head - *position;
  if (behind > CRFS_TRACE_SIZE) {
    *missed += behind - CRFS_TRACE_SIZE / 2; /* not all but one: the mount goes on writing */
    *position = head - CRFS_TRACE_SIZE / 2;
  }
  const struct crfs_opening *from = &trace->openings[*position % CRFS_TRACE_SIZE];
  uint32_t turn = __atomic_load_n(&from->turn, __ATOMIC_ACQUIRE);
  if (*position == head || turn != *position + 1)
    return 0;
  out->layer = __atomic_load_n(&from->layer, __ATOMIC_ACQUIRE);
  out->inode = __atomic_load_n(&from->inode, __ATOMIC_ACQUIRE);
  out->error = __atomic_load_n(&from->error, __ATOMIC_ACQUIRE);
  out->at_ns = __atomic_load_n(&from->at_ns, __ATOMIC_ACQUIRE);
  out->waited_ns = __atomic_load_n(&from->waited_ns, __ATOMIC_ACQUIRE);
  if (__atomic_load_n(&from->turn, __ATOMIC_RELAXED) != turn)
    return 0; /* overwritten meanwhile: the next call finds `head` a lap further on */
  ++*position;
  return 1;
}

#endif
