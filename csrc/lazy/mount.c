/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/mount.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By number, as older C libraries and headers know none of it; the numbers are the same on every architecture since
 * Linux 5.2. */
#define NR_FSOPEN 430
#define NR_FSCONFIG 431
#define NR_FSMOUNT 432
#define OPEN_CLOEXEC 1
#define SET_FLAG 0
#define SET_STRING 1
#define CREATE 6
#define MOUNT_CLOEXEC 1
#define READ_ONLY_NO_SUID_NO_DEV 7

static int set(int context, const char *name, const char *format, unsigned value) {
  char text[16];
  snprintf(text, sizeof text, format, value);
  return (int)syscall(NR_FSCONFIG, context, SET_STRING, name, text, 0);
}

/* allow_other: the host may change its user while it serves. */
static int configure(int context, int device) {
  if (set(context, "fd", "%u", (unsigned)device) < 0 || set(context, "rootmode", "%o", 040000) < 0 ||
      set(context, "user_id", "%u", geteuid()) < 0 || set(context, "group_id", "%u", getegid()) < 0 ||
      syscall(NR_FSCONFIG, context, SET_FLAG, "allow_other", NULL, 0) < 0 ||
      syscall(NR_FSCONFIG, context, SET_FLAG, "ro", NULL, 0) < 0)
    return -1;
  return (int)syscall(NR_FSCONFIG, context, CREATE, NULL, NULL, 0);
}

int crfs_lazy_mount(int device) {
  int context = (int)syscall(NR_FSOPEN, "fuse", OPEN_CLOEXEC), root = -1;
  if (context < 0)
    return -1;
  if (configure(context, device) == 0)
    root = (int)syscall(NR_FSMOUNT, context, MOUNT_CLOEXEC, READ_ONLY_NO_SUID_NO_DEV);
  int error = errno;
  close(context);
  errno = error;
  return root;
}
