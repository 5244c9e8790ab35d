/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/process.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

void crfs_process_leave(const char *path) {
  if (chdir("/") == 0)
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

void crfs_process_raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void crfs_process_leave_output(void) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    dup2(nothing, fd);
  close(nothing);
}
