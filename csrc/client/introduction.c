/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/introduction.h"

#include "plugin/mountpoint.h"
#include "shared/control.h"
#include "shared/environment.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT (sizeof crfs_environment_names / sizeof crfs_environment_names[0])

static char known[CRFS_CONTROL_TEXT_LIMIT];
static size_t length;

static int append(const char *bytes, size_t count, struct crfs_failure *failure) {
  if (count > sizeof known - length)
    return crfs_fail(failure, E2BIG,
                     "the environment variables for registries (NO_PROXY, PATH and the like) have more than %zu bytes",
                     sizeof known);
  memcpy(known + length, bytes, count);
  length += count;
  return 0;
}

static int append_variable(const char *name, struct crfs_failure *failure) {
  const char *value = getenv(name);
  if (value == NULL)
    return 0;
  return append(name, strlen(name), failure) < 0 || append("=", 1, failure) < 0 ||
                 append(value, strlen(value) + 1, failure) < 0
             ? -1
             : 0;
}

static int compose(struct crfs_failure *failure) {
  const char *place = crfs_mountpoint();
  char directory[PATH_MAX] = "/";
  if (getcwd(directory, sizeof directory) == NULL)
    strcpy(directory, "/");
  if (append(place, strlen(place) + 1, failure) < 0 || append(directory, strlen(directory) + 1, failure) < 0)
    return -1;
  for (size_t i = 0; i < COUNT; i++)
    if (append_variable(crfs_environment_names[i], failure) < 0)
      return -1;
  return 0;
}

int crfs_introduce(struct crfs_introduction *introduction, struct crfs_failure *failure) {
  if (length == 0 && compose(failure) < 0) {
    length = 0;
    return -1;
  }
  *introduction = (struct crfs_introduction){.text = known, .length = (uint32_t)length};
  return 0;
}
