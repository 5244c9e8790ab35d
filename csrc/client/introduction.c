/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/introduction.h"

#include "shared/environment.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT (sizeof crfs_environment_names / sizeof crfs_environment_names[0])

static int append(struct crfs_introduction *introduction, const char *bytes, size_t count,
                  struct crfs_failure *failure) {
  if (count > sizeof introduction->text - introduction->length)
    return crfs_fail(failure, E2BIG,
                     "the environment variables for registries (NO_PROXY, PATH and the like) have more than %zu bytes",
                     sizeof introduction->text);
  memcpy(introduction->text + introduction->length, bytes, count);
  introduction->length += (uint32_t)count;
  return 0;
}

static int append_variable(struct crfs_introduction *introduction, const char *name, struct crfs_failure *failure) {
  const char *value = getenv(name);
  if (value == NULL)
    return 0;
  if (append(introduction, name, strlen(name), failure) < 0 || append(introduction, "=", 1, failure) < 0)
    return -1;
  return append(introduction, value, strlen(value) + 1, failure);
}

int crfs_introduce(struct crfs_introduction *introduction, const char *mountpoint, struct crfs_failure *failure) {
  char directory[PATH_MAX];
  if (getcwd(directory, sizeof directory) == NULL)
    strcpy(directory, "/");
  introduction->length = 0;
  if (append(introduction, mountpoint, strlen(mountpoint) + 1, failure) < 0 ||
      append(introduction, directory, strlen(directory) + 1, failure) < 0)
    return -1;
  for (size_t i = 0; i < COUNT; i++)
    if (append_variable(introduction, crfs_environment_names[i], failure) < 0)
      return -1;
  return 0;
}
