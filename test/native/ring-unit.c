/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The request ring, one behaviour after the other, with both sides in one thread. */

#include "native/check.h"
#include "shared/ring.h"

#include <pthread.h>

#define SOON (crfs_now_ns() + 1000000)

static struct crfs_ring ring;
static struct crfs_doorbell bell;
static uint32_t tail;

static void start_at(uint32_t position) {
  memset(&ring, 0, sizeof ring);
  memset(&bell, 0, sizeof bell);
  crfs_ring_init(&ring);
  /* as after so many requests */
  ring.head = tail = position;
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    ring.requests[(position + i) % CRFS_RING_SIZE].turn = position + i; /* free */
}

static struct crfs_request *publish(uint32_t inode, uint32_t *position) {
  struct crfs_request *r = crfs_ring_reserve(&ring, position, SOON);
  CHECK(r != NULL);
  r->layer = inode + 1;
  r->inode = inode;
  r->chunk_first = inode + 2;
  r->chunk_count = inode + 3;
  crfs_ring_publish(&ring, *position, &bell);
  return r;
}

static struct crfs_request *claim(uint32_t *position, struct crfs_request *out) {
  return crfs_ring_claim(&ring, &tail, position, out);
}

static void a_new_ring_says_what_it_is(void) {
  start_at(0);
  CHECK(ring.magic == CRFS_RING_MAGIC && ring.version == CRFS_RING_VERSION && ring.size == CRFS_RING_SIZE);
}

static void a_request_is_claimed_and_answered_once(void) {
  struct crfs_request out;
  uint32_t mine, theirs;
  start_at(0);
  CHECK(claim(&theirs, &out) == NULL);
  struct crfs_request *r = publish(40, &mine);
  CHECK(crfs_ring_depth(&ring, tail) == 1);
  CHECK(claim(&theirs, &out) == r && theirs == mine);
  CHECK(out.layer == 41 && out.inode == 40 && out.chunk_first == 42 && out.chunk_count == 43);
  CHECK(claim(&theirs, &out) == NULL);
  CHECK(crfs_ring_wait(r, mine, SOON) == CRFS_PENDING);
  crfs_ring_complete(&ring, mine, ENOSPC);
  CHECK(crfs_ring_wait(r, mine, SOON) == CRFS_DONE + ENOSPC);
  crfs_ring_free(&ring, mine);
  CHECK(crfs_ring_depth(&ring, tail) == 0);
}

static void what_is_reserved_but_not_published_cannot_be_claimed(void) {
  struct crfs_request out;
  uint32_t first, second, theirs;
  start_at(0);
  struct crfs_request *r = crfs_ring_reserve(&ring, &first, SOON);
  CHECK(claim(&theirs, &out) == NULL);
  CHECK(publish(2, &second) != r);
  CHECK(claim(&theirs, &out) != NULL && theirs == second && claim(&theirs, &out) == NULL);
  crfs_ring_publish(&ring, first, &bell);
  CHECK(claim(&theirs, &out) == r && theirs == first);
}

static void requests_go_by_one_that_waits_for_its_answer(void) {
  struct crfs_request out;
  uint32_t waiting, mine, theirs;
  start_at(0);
  struct crfs_request *first = publish(0, &waiting);
  CHECK(claim(&theirs, &out) == first);
  for (uint32_t i = 1; i < 3 * CRFS_RING_SIZE; i++) {
    struct crfs_request *r = publish(i, &mine);
    CHECK(r != first && claim(&theirs, &out) == r && theirs == mine && out.inode == i);
    crfs_ring_complete(&ring, theirs, 0);
    crfs_ring_free(&ring, mine);
  }
  CHECK(crfs_ring_wait(first, waiting, SOON) == CRFS_PENDING);
  crfs_ring_complete(&ring, waiting, EIO);
  CHECK(crfs_ring_wait(first, waiting, SOON) == CRFS_DONE + EIO);
}

static void a_full_ring_refuses_in_time_and_takes_again(void) {
  struct crfs_request out, *first = NULL;
  uint32_t position, theirs;
  start_at(0);
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++) {
    struct crfs_request *r = publish(i, &position);
    first = i == 0 ? r : first;
  }
  CHECK(crfs_ring_reserve(&ring, &position, SOON) == NULL);
  CHECK(claim(&theirs, &out) == first);
  CHECK(crfs_ring_reserve(&ring, &position, SOON) == NULL);
  crfs_ring_complete(&ring, theirs, 0);
  CHECK(crfs_ring_reserve(&ring, &position, SOON) == NULL); /* its result is not read yet */
  crfs_ring_free(&ring, theirs);
  CHECK(publish(CRFS_RING_SIZE, &position) == first && position == CRFS_RING_SIZE);
}

static void an_abandoned_request_is_freed_by_whoever_comes_second(void) {
  struct crfs_request out;
  uint32_t mine, theirs;
  start_at(0);
  struct crfs_request *r = publish(1, &mine);
  CHECK(claim(&theirs, &out) == r);
  CHECK(crfs_ring_abandon(r, mine) == CRFS_ABANDONED);
  CHECK(r->turn == mine + 1);
  crfs_ring_complete(&ring, theirs, 0);
  CHECK(r->turn == mine + CRFS_RING_SIZE);
  r = publish(2, &mine);
  CHECK(claim(&theirs, &out) == r);
  crfs_ring_complete(&ring, theirs, EIO);
  CHECK(crfs_ring_abandon(r, mine) == CRFS_DONE + EIO); /* too late: the producer has its result after all */
  CHECK(r->turn == mine + 1);
}

static void a_request_that_is_answered_twice_keeps_its_first_answer(void) {
  struct crfs_request out;
  uint32_t mine, theirs;
  start_at(0);
  struct crfs_request *r = publish(1, &mine);
  CHECK(claim(&theirs, &out) == r);
  crfs_ring_complete(&ring, theirs, 0);
  crfs_ring_complete(&ring, theirs, EAGAIN);
  CHECK(crfs_ring_wait(r, mine, SOON) == CRFS_DONE && r->turn == mine + 1);
  crfs_ring_free(&ring, mine);
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    publish(i, &mine);
  CHECK(mine == CRFS_RING_SIZE);
  crfs_ring_complete(&ring, theirs, EAGAIN); /* a lap too late */
  CHECK(crfs_ring_wait(r, mine, SOON) == CRFS_PENDING && r->turn == mine + 1);
  CHECK(crfs_ring_abandon(r, mine) == CRFS_ABANDONED);
  crfs_ring_complete(&ring, theirs, EAGAIN);
  CHECK(r->turn == mine + 1);
  crfs_ring_complete(&ring, mine, 0);
  crfs_ring_complete(&ring, mine, 0);
  CHECK(r->turn == mine + CRFS_RING_SIZE);
}

static void positions_wrap_around(void) {
  struct crfs_request out;
  uint32_t mine, theirs;
  start_at(UINT32_MAX - 2 * CRFS_RING_SIZE);
  for (uint32_t i = 0; i < 5 * CRFS_RING_SIZE; i++) {
    struct crfs_request *r = publish(i, &mine);
    CHECK(claim(&theirs, &out) == r && theirs == mine && out.inode == i);
    crfs_ring_complete(&ring, theirs, 0);
    CHECK(crfs_ring_wait(r, mine, SOON) == CRFS_DONE);
    crfs_ring_free(&ring, mine);
  }
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    publish(i, &mine);
  CHECK(crfs_ring_reserve(&ring, &mine, SOON) == NULL && crfs_ring_depth(&ring, tail) == CRFS_RING_SIZE);
}

static void *sleep_on_the_bell(void *count) {
  crfs_doorbell_wait(&bell, *(uint32_t *)count, crfs_now_ns() + 60000000000ull);
  return NULL;
}

static void the_doorbell_wakes_a_sleeper_and_remembers_a_ring(void) {
  uint32_t position, count;
  pthread_t sleeper;
  start_at(0);
  count = crfs_doorbell_count(&bell);
  CHECK(pthread_create(&sleeper, NULL, sleep_on_the_bell, &count) == 0);
  publish(1, &position); /* before or after it sleeps: it must return */
  CHECK(pthread_join(sleeper, NULL) == 0);
  CHECK(crfs_doorbell_count(&bell) == count + 1 && bell.sleepers == 0);
  sleep_on_the_bell(&count); /* rung since: returns at once */
}

static void turns_that_make_no_sense_are_given_up_in_time(void) {
  uint32_t position;
  start_at(0);
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++)
    ring.requests[i].turn = i + 7;
  CHECK(crfs_ring_reserve(&ring, &position, SOON) == NULL);
}

static struct crfs_opening opening_of(uint32_t inode) {
  return (struct crfs_opening){.layer = inode + 1, .inode = inode, .error = EIO, .at_ns = inode + 2, .waited_ns = 3};
}

static void a_trace_is_read_once_in_order(void) {
  static struct crfs_trace trace;
  struct crfs_opening out;
  uint32_t position = crfs_trace_head(&trace), missed = 0;
  CHECK(!crfs_trace_is_on(&trace));
  crfs_trace_switch(&trace, 1);
  CHECK(crfs_trace_is_on(&trace) && crfs_trace_read(&trace, &position, &out, &missed) == 0);
  for (uint32_t n = 0; n < 2; n++) {
    struct crfs_opening opening = opening_of(n);
    crfs_trace_note(&trace, &opening);
  }
  for (uint32_t n = 0; n < 2; n++)
    CHECK(crfs_trace_read(&trace, &position, &out, &missed) == 1 && out.layer == n + 1 && out.inode == n &&
          out.error == EIO && out.at_ns == n + 2 && out.waited_ns == 3);
  CHECK(crfs_trace_read(&trace, &position, &out, &missed) == 0 && missed == 0);
}

static void what_a_trace_overwrote_is_counted(void) {
  static struct crfs_trace trace;
  struct crfs_opening out;
  uint32_t position = 0, missed = 0, read = 0;
  const uint32_t total = 3 * CRFS_TRACE_SIZE + 5;
  for (uint32_t n = 0; n < total; n++) {
    struct crfs_opening opening = opening_of(n);
    crfs_trace_note(&trace, &opening);
  }
  while (crfs_trace_read(&trace, &position, &out, &missed) == 1)
    CHECK(out.inode == missed + read++);
  CHECK(missed + read == total && read == CRFS_TRACE_SIZE / 2);
}

static void an_unfinished_opening_holds_the_trace_up(void) {
  static struct crfs_trace trace;
  struct crfs_opening out;
  uint32_t position = 0, missed = 0;
  trace.head = 1;
  CHECK(crfs_trace_read(&trace, &position, &out, &missed) == 0 && position == 0 && missed == 0);
}

int main(void) {
  a_new_ring_says_what_it_is();
  a_request_is_claimed_and_answered_once();
  what_is_reserved_but_not_published_cannot_be_claimed();
  requests_go_by_one_that_waits_for_its_answer();
  a_full_ring_refuses_in_time_and_takes_again();
  an_abandoned_request_is_freed_by_whoever_comes_second();
  a_request_that_is_answered_twice_keeps_its_first_answer();
  positions_wrap_around();
  the_doorbell_wakes_a_sleeper_and_remembers_a_ring();
  turns_that_make_no_sense_are_given_up_in_time();
  a_trace_is_read_once_in_order();
  what_a_trace_overwrote_is_counted();
  an_unfinished_opening_holds_the_trace_up();
  printf("checks %lu\n", checks);
  return 0;
}
