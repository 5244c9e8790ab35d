/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/namespace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* Undoes the escapes of a path in mountinfo: \040 and the like. proc(5). */
static void unescape(char *path) {
  char *out = path;
  for (const char *in = path; *in != '\0';) {
    unsigned byte;
    if (in[0] == '\\' && sscanf(in + 1, "%3o", &byte) == 1) {
      *out++ = (char)byte;
      in += 4;
    } else {
      *out++ = *in++;
    }
  }
  *out = '\0';
}

/* The mountpoint of LINE of mountinfo, if it is a mount of layers; else NULL. Cuts LINE up. */
static char *mountpoint_of_layers(char *line) {
  char *rest = line, *path = NULL;
  if (strstr(line, " - overlay crfs ") == NULL)
    return NULL;
  for (int field = 0; field < 5; field++)
    path = strsep(&rest, " ");
  if (path != NULL)
    unescape(path);
  return path;
}

static void detach_layers(void) {
  char *line = NULL;
  size_t room = 0;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL)
    return;
  while (getline(&line, &room, mounts) > 0) {
    const char *path = mountpoint_of_layers(line);
    if (path != NULL)
      umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  free(line);
  fclose(mounts);
}

int crfs_namespace_leave(struct crfs_failure *failure) {
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
    return crfs_fail(failure, errno, "cannot make a mount namespace: %s", strerror(errno));
  detach_layers();
  return 0;
}
