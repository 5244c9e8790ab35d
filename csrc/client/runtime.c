/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The effective uid as the parent user namespace knows it: users who are all root in namespaces of theirs must not meet
 * in one directory. src/main/settings/directories.ts computes the same. */
static unsigned outer_uid(void) {
  unsigned uid = geteuid(), inside, outside, count;
  FILE *map = fopen("/proc/self/uid_map", "re");
  if (map == NULL)
    return uid;
  while (fscanf(map, "%u %u %u", &inside, &outside, &count) == 3)
    if (uid >= inside && uid - inside < count) {
      uid = outside + (uid - inside);
      break;
    }
  fclose(map);
  return uid;
}

static void directory_name(char name[PATH_MAX]) {
  const char *base = getenv("XDG_RUNTIME_DIR");
  struct stat st;
  if (base != NULL && base[0] == '/' && stat(base, &st) == 0 && S_ISDIR(st.st_mode) &&
      snprintf(name, PATH_MAX, "%s/crfs-plugin", base) < PATH_MAX)
    return;
  snprintf(name, PATH_MAX, "/tmp/crfs-plugin-%u", outer_uid());
}

int crfs_runtime_open(struct crfs_failure *failure) {
  char name[PATH_MAX];
  struct stat st;
  directory_name(name);
  if (mkdir(name, 0700) < 0 && errno != EEXIST)
    return crfs_fail(failure, errno, "cannot make %s (%s); set XDG_RUNTIME_DIR to a directory of yours", name,
                     strerror(errno));
  int directory = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0)
    return crfs_fail(failure, errno, "cannot use %s (%s); remove it, or set XDG_RUNTIME_DIR", name, strerror(errno));
  if (fstat(directory, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
    return directory;
  close(directory);
  return crfs_fail(failure, EPERM, "%s is not ours alone (owner %u, mode %03o); remove it, or set XDG_RUNTIME_DIR",
                   name, (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
}
