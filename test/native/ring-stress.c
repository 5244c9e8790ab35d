/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Many producers and many consumers on one ring, as threads of one process on one mapping (which ThreadSanitizer can
 * follow), or as two processes of threads, each with mappings of its own. Some producers give up at once. Every request
 * must be served exactly once, every result must reach the one who asked, and nobody may sleep until a deadline: all
 * are woken by what they wait for.
 *
 * usage: ring-stress threads|processes REQUESTS */

#include "native/check.h"

#include <sys/syscall.h>
#include <unistd.h>

static long watched(long result);
#define syscall(...) watched(syscall(__VA_ARGS__)) /* the ring's futexes */
#include "shared/ring.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PRODUCERS 4
#define CONSUMERS 3
#define FOREVER (crfs_now_ns() + 60000000000ull)

/* What both sides share beside the ring. */
struct shared {
  struct crfs_ring ring;
  struct crfs_doorbell bell;
  uint32_t served, answered, abandoned, late, overslept, done;
  uint8_t seen[]; /* how often each request was served, by its number */
};

static struct shared *s;
static int memory;
static uint32_t requests, tail;
static size_t size;

static uint32_t add(uint32_t *counter, uint32_t by) {
  return __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static long watched(long result) {
  if (result < 0 && errno == ETIMEDOUT)
    add(&s->overslept, 1);
  return result;
}

static uint32_t errno_for(uint32_t number) {
  return number % 7 == 0 ? EIO : 0;
}

/* Few give up, and the ring stays nearly empty; or most do, and it fills up: by turns. */
static int gives_up(uint32_t number) {
  return (number % 5 == 0) == (number / 4096 % 2 == 0);
}

static void produce_one(uint32_t number) {
  uint32_t position, result;
  struct crfs_request *r = crfs_ring_reserve(&s->ring, &position, FOREVER);
  CHECK(r != NULL);
  r->layer = number ^ 0x55;
  r->inode = number;
  r->chunk_first = 0;
  r->chunk_count = 1;
  crfs_ring_publish(&s->ring, position, &s->bell);
  if (gives_up(number)) {
    result = crfs_ring_abandon(r, position);
    if (result == CRFS_ABANDONED) {
      add(&s->abandoned, 1);
      return;
    }
    add(&s->late, 1);
  } else {
    result = crfs_ring_wait(r, position, FOREVER);
  }
  CHECK(result == CRFS_DONE + errno_for(number));
  crfs_ring_free(&s->ring, position);
  add(&s->answered, 1);
}

static void *produce(void *which) {
  for (uint32_t number = (uint32_t)(uintptr_t)which; number < requests; number += PRODUCERS)
    produce_one(number);
  return NULL;
}

static void *consume(void *unused) {
  (void)unused;
  while (__atomic_load_n(&s->done, __ATOMIC_RELAXED) == 0) {
    struct crfs_request out;
    uint32_t position, count = crfs_doorbell_count(&s->bell);
    while (crfs_ring_claim(&s->ring, &tail, &position, &out) != NULL) {
      CHECK(out.inode < requests && out.layer == (out.inode ^ 0x55));
      CHECK(__atomic_fetch_add(&s->seen[out.inode], 1, __ATOMIC_RELAXED) == 0);
      add(&s->served, 1);
      crfs_ring_complete(&s->ring, position, errno_for(out.inode));
      crfs_ring_complete(&s->ring, position, EAGAIN); /* as for a worker that died after its answer: must not count */
    }
    crfs_doorbell_wait(&s->bell, count, FOREVER);
  }
  return NULL;
}

static void map(void) {
  s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  CHECK(s != MAP_FAILED);
}

static void run(void *(*body)(void *), pthread_t *threads, int count) {
  for (int i = 0; i < count; i++)
    CHECK(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0);
}

static void join(const pthread_t *threads, int count) {
  for (int i = 0; i < count; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
}

static void produce_all(void) {
  pthread_t producers[PRODUCERS];
  run(produce, producers, PRODUCERS);
  join(producers, PRODUCERS);
}

/* Ends the consumers once all requests were served: those that were abandoned may come last. */
static void finish(void) {
  while (__atomic_load_n(&s->served, __ATOMIC_RELAXED) < requests)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  __atomic_store_n(&s->done, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < CONSUMERS; i++)
    crfs_doorbell_ring(&s->bell);
}

static void in_two_processes(pthread_t *consumers) {
  int status;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    map();
    produce_all();
    exit(0);
  }
  run(consume, consumers, CONSUMERS);
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
  pthread_t consumers[CONSUMERS];
  CHECK(argc == 3);
  requests = (uint32_t)strtoul(argv[2], NULL, 10);
  size = sizeof *s + requests;
  memory = memfd_create("ring", 0);
  CHECK(memory >= 0 && ftruncate(memory, (off_t)size) == 0);
  map();
  crfs_ring_init(&s->ring);
  if (strcmp(argv[1], "processes") == 0) {
    in_two_processes(consumers);
  } else {
    run(consume, consumers, CONSUMERS);
    produce_all();
  }
  finish();
  join(consumers, CONSUMERS);
  for (uint32_t i = 0; i < requests; i++)
    CHECK(s->seen[i] == 1);
  CHECK(s->answered + s->abandoned == requests && s->overslept == 0);
  CHECK(s->ring.waiters == 0 && s->bell.sleepers == 0);
  uint32_t laps = 0;
  for (uint32_t i = 0; i < CRFS_RING_SIZE; i++) { /* nothing leaked: each request waits for its next lap */
    CHECK(s->ring.requests[i].turn % CRFS_RING_SIZE == i);
    laps += crfs_ring_lap(s->ring.requests[i].turn);
  }
  CHECK(laps == requests && s->ring.head == requests);
  printf("served %u answered %u abandoned %u late %u\n", s->served, s->answered, s->abandoned, s->late);
  return 0;
}
