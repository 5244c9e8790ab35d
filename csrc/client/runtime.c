/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT "set XDG_CACHE_HOME to a directory of yours"

static int directory_name(char name[PATH_MAX], struct crfs_failure *failure) {
  const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int length;
  if (base != NULL && base[0] == '/') {
    length = snprintf(name, PATH_MAX, "%s/crfs-plugin", base);
  } else {
    const struct passwd *user = home != NULL && home[0] != '\0' ? NULL : getpwuid(geteuid());
    if (user != NULL)
      home = user->pw_dir;
    if (home == NULL || home[0] != '/')
      return crfs_fail(failure, ENOENT, "there is no home directory for a cache; " HINT);
    length = snprintf(name, PATH_MAX, "%s/.cache/crfs-plugin", home);
  }
  return length < PATH_MAX ? 0 : crfs_fail(failure, ENAMETOOLONG, "the path of the cache is too long; " HINT);
}

/* Makes the directories above NAME, where they are missing, and NAME. Returns 0, also where it is there, or -1 and
 * errno. */
static int make_directories(char *name) {
  for (char *slash = strchr(name + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int result = mkdir(name, 0700);
    *slash = '/';
    if (result < 0 && errno != EEXIST)
      return -1;
  }
  return mkdir(name, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

int crfs_runtime_open(struct crfs_failure *failure) {
  char name[PATH_MAX];
  struct stat st;
  if (directory_name(name, failure) < 0)
    return -1;
  int directory = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 && errno == ENOENT && make_directories(name) < 0)
    return crfs_fail(failure, errno, "cannot make %s (%s); " HINT, name, strerror(errno));
  if (directory < 0)
    directory = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0)
    return crfs_fail(failure, errno, "cannot use %s (%s); remove it, or " HINT, name, strerror(errno));
  if (fstat(directory, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
    return directory;
  close(directory);
  return crfs_fail(failure, EPERM, "%s is not ours alone (owner %u, mode %03o); remove it, or " HINT, name,
                   (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
}
