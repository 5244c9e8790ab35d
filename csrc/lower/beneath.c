/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/beneath.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int is_hidden(const char *path, const char *mountpoint) {
  const size_t length = strlen(mountpoint);
  return strncmp(path, mountpoint, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* A name by which PATH is found, whatever is mounted over it. It ends in `.`: the name of a descriptor alone is a
 * symlink, which O_NOFOLLOW refuses. */
static const char *hold(const char *path, const char *mountpoint) {
  char *name = NULL;
  int fd = is_hidden(path, mountpoint) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
  return fd >= 0 && asprintf(&name, "/proc/self/fd/%d/.", fd) >= 0 ? name : path;
}

void crfs_beneath_hold(struct crfs_service *service) {
  for (const char **below = service->below; *below != NULL; below++)
    *below = hold(*below, service->merged);
  if (service->upper == NULL)
    return;
  service->upper = hold(service->upper, service->merged);
  service->work = hold(service->work, service->merged);
}
