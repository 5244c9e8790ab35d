/* SPDX-License-Identifier: GPL-3.0-or-later */

/* ranges FILE SIZE < OFFSETS: opens the file, and reads SIZE bytes at each of the offsets, numbers in decimal that
 * white space parts. Prints the nanoseconds of each read, a line each; those of the first from before the file was
 * opened. Exits with 1 where there are fewer bytes. */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void read_range(int fd, char *buffer, size_t size, uint64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, buffer + done, size - done, (off_t)(offset + done));
    if (n < 0)
      err(1, "read at %" PRIu64, offset);
    if (n == 0)
      errx(1, "the file ends before %" PRIu64, offset + size);
    done += (size_t)n;
  }
}

int main(int argc, char **argv) {
  size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  uint64_t offset;
  if (size == 0)
    errx(2, "usage: ranges FILE SIZE < OFFSETS");
  char *buffer = malloc(size);
  if (buffer == NULL)
    err(1, "%zu bytes", size);
  uint64_t start = now_ns();
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    err(1, "%s", argv[1]);
  for (; scanf("%" SCNu64, &offset) == 1; start = now_ns()) {
    read_range(fd, buffer, size, offset);
    printf("%" PRIu64 "\n", now_ns() - start);
  }
  return 0;
}
