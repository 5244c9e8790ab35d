/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/dying.h"

#include "lazy/answer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In proc_pid_stat(5): the signals that wait for the thread itself. What ends a process is SIGKILL to each of its
 * threads. */
#define NAME_FIELD 2
#define SIGNALS_FIELD 31

/* Returns the size of what was read, a string; or -1. */
static ssize_t read_stat(pid_t thread, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
  if (fd >= 0)
    close(fd);
  if (got >= 0)
    text[got] = '\0';
  return got;
}

int crfs_reader_is_dying(void *request) {
  char text[1024];
  if (!fuse_req_interrupted(request))
    return 0;
  const pid_t reader = fuse_req_ctx(request)->pid;
  if (reader == 0 || read_stat(reader, text, sizeof text) < 0)
    return 1;
  const char *field = strrchr(text, ')'); /* the name may hold anything */
  for (int n = NAME_FIELD; field != NULL && n < SIGNALS_FIELD; n++)
    field = strchr(field + 1, ' ');
  return field == NULL || (strtoull(field, NULL, 10) >> (SIGKILL - 1) & 1) != 0;
}
