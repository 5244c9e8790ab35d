/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How long whoever asks waits: as long as bytes arrive, and no longer. Without a daemon: a thread plays the worker. */

#include "client/ask.h"
#include "native/check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define MINUTE 60000000000ull

static struct crfs_ring ring;
static struct crfs_doorbell doorbell;
static struct crfs_connection connection = {.ring = &ring, .doorbell = &doorbell};
static uint32_t tail;
static const struct crfs_wanted wanted = {.number = 7, .inode = 8, .first = 9, .count = 10, .flags = 11};

/* Takes the request that is asked for. Returns its position. */
static uint32_t claim(void) {
  struct crfs_request out;
  uint32_t position;
  while (crfs_ring_claim(&ring, &tail, &position, &out) == NULL)
    poll(NULL, 0, 1);
  CHECK(out.layer == 7 && out.inode == 8 && out.chunk_first == 9 && out.chunk_count == 10 && out.flags == 11);
  return position;
}

static void *answer_after_progress(void *deadline_ns) {
  const uint64_t before = __atomic_load_n((uint64_t *)deadline_ns, __ATOMIC_RELAXED);
  uint32_t position = claim();
  crfs_ring_progress(&ring, position);
  while (__atomic_load_n((uint64_t *)deadline_ns, __ATOMIC_RELAXED) == before)
    poll(NULL, 0, 1);
  crfs_ring_complete(&ring, position, 0);
  return NULL;
}

static void each_byte_that_arrives_moves_the_deadline(void) {
  uint64_t deadline = crfs_now_ns() + MINUTE;
  const uint64_t before = deadline;
  pthread_t worker;
  CHECK(pthread_create(&worker, NULL, answer_after_progress, &deadline) == 0);
  CHECK(crfs_ask(&connection, &wanted, 2 * MINUTE, &deadline) == 0);
  CHECK(pthread_join(worker, NULL) == 0);
  CHECK(deadline >= before + MINUTE / 2);
}

static void *claim_in_vain(void *unused) {
  (void)unused;
  claim();
  return NULL;
}

static void nothing_that_arrives_ends_in_a_timeout(void) {
  uint64_t deadline = crfs_now_ns();
  const uint64_t before = deadline;
  CHECK(crfs_ask(&connection, &wanted, MINUTE, &deadline) == ETIMEDOUT && deadline == before);
  pthread_t worker;
  CHECK(pthread_create(&worker, NULL, claim_in_vain, NULL) == 0 && pthread_join(worker, NULL) == 0);
}

/* Of a daemon that has given no sign of life for so long, no more is waited for. */
static void a_silent_daemon_is_asked_for_a_moment(void) {
  uint64_t deadline = crfs_now_ns() + MINUTE;
  doorbell.beat_ns = 1;
  CHECK(crfs_ask(&connection, &wanted, 1, &deadline) == ETIMEDOUT && crfs_now_ns() < deadline);
  doorbell.beat_ns = 0;
}

int main(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  connection.control.socket = ends[0];
  crfs_ring_init(&ring);
  each_byte_that_arrives_moves_the_deadline();
  nothing_that_arrives_ends_in_a_timeout();
  a_silent_daemon_is_asked_for_a_moment();
  close(ends[1]);
  uint64_t deadline = crfs_now_ns() + MINUTE;
  CHECK(crfs_ask(&connection, &wanted, MINUTE, &deadline) == CRFS_ASK_GONE);
  printf("checks %lu\n", checks);
  return 0;
}
