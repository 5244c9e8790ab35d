/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The doorbell, by which all mounts of a daemon wake its workers: one page in a memfd of the daemon, which it shares
 * with them. Idle workers sleep on its `rings`. The daemon's main thread notes there every CRFS_BEAT_INTERVAL_MS that
 * it lives.
 *
 * Compiles as C11 and C++17, hence __atomic builtins in inline functions rather than _Atomic.
 */

#ifndef CRFS_DOORBELL_H
#define CRFS_DOORBELL_H

#include <errno.h>
#include <linux/futex.h>
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

#define CRFS_BEAT_INTERVAL_MS 1000

struct crfs_doorbell {
  uint32_t rings;    /* counts publications; a futex for idle workers */
  uint32_t sleepers; /* workers that are about to wait, or wait */
  uint64_t beat_ns;  /* the daemon's last sign of life, as of crfs_now_ns; 0: it gives none */
  uint8_t reserved[4080];
};

CRFS_STATIC_ASSERT(sizeof(struct crfs_doorbell) == 4096, "layout");

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

#ifdef __cplusplus
}
#endif

#endif
