/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/command.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "CRFS_PLUGIN_DAEMON"

/* Cuts the last part off PATH if it is LAST, or any for NULL. Returns whether it did. */
static int cut(char *path, const char *last) {
  char *slash = strrchr(path, '/');
  if (slash == NULL || (last != NULL && strcmp(slash + 1, last) != 0))
    return 0;
  *slash = '\0';
  return 1;
}

/* Takes PATH for the command if it can be run. Returns whether it can. */
static int take(struct crfs_command *command, const char *directory, const char *path) {
  if (snprintf(command->path, sizeof command->path, "%s/%s", directory, path) < (int)sizeof command->path &&
      access(command->path, X_OK) == 0)
    return 1;
  command->path[0] = '\0';
  return 0;
}

static int take_wanted(struct crfs_command *command, const char *wanted, struct crfs_failure *failure) {
  if (realpath(wanted, command->path) != NULL && access(command->path, X_OK) == 0)
    return 0;
  int error = errno;
  command->path[0] = '\0';
  return crfs_fail(failure, error, "cannot run the daemon %s (%s); " VARIABLE " must be the path of a crfs command",
                   wanted, strerror(error));
}

int crfs_command_find(struct crfs_command *command, struct crfs_failure *failure) {
  const char *wanted = getenv(VARIABLE);
  char place[PATH_MAX];
  Dl_info own;
  if (command->path[0] != '\0')
    return 0;
  if (wanted != NULL)
    return take_wanted(command, wanted, failure);
  if (dladdr(command->near, &own) == 0 || realpath(own.dli_fname, place) == NULL || !cut(place, NULL))
    return crfs_fail(failure, ENOENT, "cannot tell where crfs-plugin is; set " VARIABLE " to the path of crfs");
  if (take(command, place, "bin/crfs") || ((cut(place, "fuse-overlayfs") || cut(place, "crfs-plugin")) &&
                                           cut(place, "libexec") && take(command, place, "lib/crfs-plugin/bin/crfs")))
    return 0;
  return crfs_fail(failure, ENOENT, "found no crfs command next to %.800s; set " VARIABLE " to its path",
                   own.dli_fname);
}
