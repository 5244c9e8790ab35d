/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Nobody sleeps for ever: two actors meet on one ring in every order that their steps can take. A step is an atomic
 * operation or a futex call; actors take turns as the schedule says, in one thread, over a futex of our own. */

#include "native/check.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static void step(void);
static long futex(const uint32_t *word, int operation, uint32_t value, const void *deadline);

/* what the ring is made of, each a step */
#define __atomic_load_n(...) (step(), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) (step(), __atomic_store_n(__VA_ARGS__))
#define __atomic_fetch_add(...) (step(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) (step(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (step(), __atomic_compare_exchange_n(__VA_ARGS__))
#define syscall(number, word, operation, value, deadline, ...) futex(word, operation, value, deadline)
#define CRFS_RING_SIZE 4u /* more would only be more of the same steps */
#include "shared/ring.h"

#define FOREVER UINT64_MAX
#define MOST_CHOICES 64

static struct actor {
  ucontext_t context;
  void (*body)(void);
  const uint32_t *asleep_on;
  int done;
  char stack[1 << 16];
} actors[2];
static struct actor *running; /* NULL: the schedule */
static ucontext_t schedule;

static struct crfs_ring ring;
static struct crfs_doorbell bell;
static uint32_t tail, position;

static void step(void) {
  if (running != NULL)
    swapcontext(&running->context, &schedule);
}

static long futex(const uint32_t *word, int operation, uint32_t value, const void *deadline) {
  (void)deadline; /* it never comes */
  step();
  if (operation == FUTEX_WAKE) {
    for (int i = 0; i < 2; i++)
      if (actors[i].asleep_on == word)
        actors[i].asleep_on = NULL;
    return 0;
  }
  if (*word != value) {
    errno = EAGAIN;
    return -1;
  }
  running->asleep_on = word;
  step(); /* the schedule comes back once it is awake */
  return 0;
}

static void act(int number) {
  actors[number].body();
  actors[number].done = 1;
}

static void start(int number, void (*body)(void)) {
  struct actor *a = &actors[number];
  a->body = body;
  a->asleep_on = NULL;
  a->done = 0;
  getcontext(&a->context);
  a->context.uc_stack.ss_sp = a->stack;
  a->context.uc_stack.ss_size = sizeof a->stack;
  a->context.uc_link = &schedule;
  makecontext(&a->context, (void (*)(void))act, 1, number);
}

static int can_run(int number) {
  return !actors[number].done && actors[number].asleep_on == NULL;
}

static void resume(int number) {
  running = &actors[number];
  swapcontext(&schedule, &running->context);
  running = NULL;
}

/* Runs both actors after PREPARE, in every order of their steps, and CHECK_END after each. */
static void explore(void (*prepare)(void), void (*first)(void), void (*second)(void), void (*check_end)(void)) {
  char choices[MOST_CHOICES];
  int count = 0;
  do {
    prepare();
    start(0, first);
    start(1, second);
    for (int at = 0; can_run(0) || can_run(1);) {
      int next = can_run(1);
      if (can_run(0) && can_run(1)) {
        CHECK(at < MOST_CHOICES);
        if (at == count)
          choices[count++] = 0;
        next = choices[at++];
      }
      resume(next);
    }
    CHECK(actors[0].done && actors[1].done); /* else one sleeps, and nobody is left to wake it */
    check_end();
    while (count > 0 && choices[count - 1] == 1)
      count--;
    if (count > 0)
      choices[count - 1] = 1;
  } while (count > 0);
}

static void reserve(void) {
  CHECK(crfs_ring_reserve(&ring, &position, FOREVER) != NULL);
}

static void empty_ring(void) {
  memset(&ring, 0, sizeof ring);
  memset(&bell, 0, sizeof bell);
  tail = 0;
  crfs_ring_init(&ring);
}

static void no_check(void) {}

/* --- publishing, and a worker that looks for work ------------------------------------------------------------- */

static void reserved(void) {
  empty_ring();
  reserve();
}

static void publish(void) {
  crfs_ring_publish(&ring, 0, &bell);
}

static void work(void) {
  struct crfs_request out;
  uint32_t claimed;
  for (;;) {
    uint32_t count = crfs_doorbell_count(&bell);
    if (crfs_ring_claim(&ring, &tail, &claimed, &out) != NULL)
      return;
    crfs_doorbell_wait(&bell, count, FOREVER);
  }
}

static void nobody_is_left_waiting(void) {
  CHECK(tail == 1 && bell.sleepers == 0);
}

/* --- completing, and whoever waits for that -------------------------------------------------------------------- */

static void claimed(void) {
  struct crfs_request out;
  uint32_t theirs;
  reserved();
  publish();
  CHECK(crfs_ring_claim(&ring, &tail, &theirs, &out) != NULL);
}

static void complete(void) {
  crfs_ring_complete(&ring, 0, EIO);
}

static void wait_for_result(void) {
  CHECK(crfs_ring_wait(&ring.requests[0], 0, FOREVER) == CRFS_DONE + EIO);
}

static void give_up(void) {
  if (crfs_ring_abandon(&ring.requests[0], 0) != CRFS_ABANDONED)
    crfs_ring_free(&ring, 0);
}

static void it_is_free(void) {
  CHECK(ring.requests[0].turn == CRFS_RING_SIZE);
}

/* --- freeing, and whoever waits for room ----------------------------------------------------------------------- */

static void full(void) {
  empty_ring();
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++) {
    reserve();
    crfs_ring_publish(&ring, position, &bell);
  }
}

static void full_of_abandoned(void) {
  full();
  CHECK(crfs_ring_abandon(&ring.requests[0], 0) == CRFS_ABANDONED);
}

static void free_first(void) {
  crfs_ring_free(&ring, 0);
}

static void it_was_reserved_again(void) {
  CHECK(position == CRFS_RING_SIZE && ring.waiters == 0);
}

int main(void) {
  explore(reserved, work, publish, nobody_is_left_waiting);
  explore(claimed, wait_for_result, complete, no_check);
  explore(claimed, give_up, complete, it_is_free);
  explore(full, reserve, free_first, it_was_reserved_again);
  explore(full_of_abandoned, reserve, complete, it_was_reserved_again);
  printf("checks %lu\n", checks);
  return 0;
}
