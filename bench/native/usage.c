/* SPDX-License-Identifier: GPL-3.0-or-later */

/* usage FILE COMMAND...: runs the command, and writes to FILE what it took: nanoseconds from its start to its end,
 * microseconds of CPU, and KiB of resident memory at its peak, children that it waited for included. Exits as the
 * command does. */

#include <err.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 3)
    errx(2, "usage: usage FILE COMMAND...");
  FILE *out = fopen(argv[1], "we");
  if (out == NULL)
    err(2, "%s", argv[1]);
  uint64_t start = now_ns();
  pid_t pid = fork();
  if (pid < 0)
    err(2, "fork");
  if (pid == 0) {
    execvp(argv[2], argv + 2);
    err(127, "%s", argv[2]);
  }
  int status;
  struct rusage used;
  if (wait4(pid, &status, 0, &used) < 0)
    err(2, "wait4");
  int64_t cpu =
      (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  fprintf(out, "%" PRIu64 " %" PRId64 " %ld\n", now_ns() - start, cpu, used.ru_maxrss);
  fclose(out);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
