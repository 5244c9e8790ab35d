/* SPDX-License-Identifier: GPL-3.0-or-later */

/* For LD_PRELOAD: a crfs-lower that is held up while it makes stubs, as the disk does not take them: it makes a file
 * HELD, and goes on when that has gone. None is held up once there is a file HELD.over. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int syncfs(int fd) {
  const struct timespec pause = {.tv_nsec = 10000000};
  const char *held = getenv("HELD");
  char over[PATH_MAX];
  (void)fd;
  snprintf(over, sizeof over, "%s.over", held == NULL ? "" : held);
  if (held == NULL || access(over, F_OK) == 0 || strcmp(program_invocation_short_name, "crfs-lower") != 0)
    return 0;
  close(open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  while (access(held, F_OK) == 0)
    nanosleep(&pause, NULL);
  return 0;
}
