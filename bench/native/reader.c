/* SPDX-License-Identifier: GPL-3.0-or-later */

/* reader N < LIST: N processes read the files of LIST (names that end in NUL), process i the files i, i + N, ...: each
 * is opened, its first byte is read, then the rest. They start at the same moment.
 *
 * Prints the nanoseconds from that moment to the last byte, the bytes, and, a line per file in the list's order, the
 * nanoseconds from before open to the first byte. Exits with 1 where a file cannot be read. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  PIECE = 1 << 20
};

struct shared {
  uint32_t ready, go;
  uint64_t bytes;
  uint64_t first_ns[];
};

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Reads the whole of FD to its end, into a buffer that is always the same. Returns the bytes. */
static uint64_t drain(int fd, const char *name) {
  static char buffer[PIECE];
  uint64_t bytes = 0;
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0)
      err(1, "%s", name);
    if (n == 0)
      return bytes;
    bytes += (uint64_t)n;
  }
}

static void read_share(struct shared *shared, char *const *names, size_t count, size_t first, size_t step) {
  uint64_t bytes = 0;
  for (size_t i = first; i < count; i += step) {
    char byte;
    uint64_t start = now_ns();
    int fd = open(names[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      err(1, "%s", names[i]);
    ssize_t n = read(fd, &byte, 1);
    if (n < 0)
      err(1, "%s", names[i]);
    shared->first_ns[i] = now_ns() - start;
    bytes += (uint64_t)n + drain(fd, names[i]);
    close(fd);
  }
  __atomic_fetch_add(&shared->bytes, bytes, __ATOMIC_RELAXED);
}

/* The names on standard input. Sets *COUNT. */
static char **read_names(size_t *count) {
  char **names = NULL, *name = NULL;
  size_t room = 0, length = 0;
  while (getdelim(&name, &length, '\0', stdin) > 0) {
    if (*count == room && (names = realloc(names, (room = room * 2 + 64) * sizeof(*names))) == NULL)
      err(1, "names");
    names[(*count)++] = name;
    name = NULL;
  }
  return names;
}

int main(int argc, char **argv) {
  size_t readers = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, count = 0;
  if (readers == 0 || readers > 1024)
    errx(2, "usage: reader N < LIST");
  char **names = read_names(&count);
  struct shared *shared =
      mmap(NULL, sizeof(*shared) + count * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    err(1, "mmap");
  for (size_t reader = 0; reader < readers; reader++) {
    pid_t pid = fork();
    if (pid < 0)
      err(1, "fork");
    if (pid > 0)
      continue;
    __atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared->go, __ATOMIC_SEQ_CST) == 0)
      usleep(100);
    read_share(shared, names, count, reader, readers);
    _exit(0);
  }
  while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < readers)
    usleep(100);
  uint64_t start = now_ns();
  __atomic_store_n(&shared->go, 1, __ATOMIC_SEQ_CST);
  int status, failed = 0;
  while (wait(&status) > 0)
    failed |= status;
  printf("%" PRIu64 " %" PRIu64 "\n", now_ns() - start, shared->bytes);
  for (size_t i = 0; i < count; i++)
    printf("%" PRIu64 "\n", shared->first_ns[i]);
  return failed != 0;
}
