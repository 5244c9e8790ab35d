/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/namespace.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

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

/* The mountpoint of LINE of mountinfo, if it is a mount of layers, or a store; else NULL. Cuts LINE up. */
static char *mountpoint_of_layers(char *line) {
  char *rest = line, *path = NULL;
  if (strstr(line, " - overlay crfs ") == NULL && strstr(line, " - fuse.crfs crfs ") == NULL)
    return NULL;
  for (int field = 0; field < 5; field++)
    path = strsep(&rest, " ");
  if (path != NULL)
    unescape(path);
  return path;
}

/* Whether the file PATH lies in what is mounted at MOUNTPOINT. */
static int lies_in(const char *path, const char *mountpoint) {
  char *real = realpath(path, NULL);
  const size_t length = strcmp(mountpoint, "/") == 0 ? 0 : strlen(mountpoint);
  int lies = real != NULL && strncmp(real, mountpoint, length) == 0 && (real[length] == '/' || real[length] == '\0');
  free(real);
  return lies;
}

static int is_needed(const char *mountpoint, const char *const *paths) {
  for (; *paths != NULL; paths++)
    if (lies_in(*paths, mountpoint))
      return 1;
  return 0;
}

static void detach_layers(const char *const *paths) {
  char *line = NULL;
  size_t room = 0;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL)
    return;
  while (getline(&line, &room, mounts) > 0) {
    const char *path = mountpoint_of_layers(line);
    if (path != NULL && !is_needed(path, paths))
      umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  free(line);
  fclose(mounts);
}

/* Whether process 1 has the namespace of this one. */
static int is_everybodys(void) {
  struct stat own, first;
  return stat("/proc/self/ns/mnt", &own) == 0 && stat("/proc/1/ns/mnt", &first) == 0 && own.st_ino == first.st_ino &&
         own.st_dev == first.st_dev;
}

/* Whether what is mounted in LINE of mountinfo is at the root, and shared. */
static int is_shared_root(const char *line) {
  char mountpoint[3];
  return sscanf(line, "%*s %*s %*s %*s %2s", mountpoint) == 1 && strcmp(mountpoint, "/") == 0 &&
         strstr(line, " shared:") != NULL;
}

int crfs_namespace_outlived(void) {
  char *line = NULL;
  size_t room = 0;
  int is_shared = 0;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL)
    return 1;
  while (!is_shared && getline(&line, &room, mounts) > 0)
    is_shared = is_shared_root(line);
  free(line);
  fclose(mounts);
  return is_shared && !is_everybodys();
}

int crfs_namespace_leave(const char *const *paths, struct crfs_failure *failure) {
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
    return crfs_fail(failure, errno, "cannot make a mount namespace: %s", strerror(errno));
  detach_layers(paths);
  return 0;
}
