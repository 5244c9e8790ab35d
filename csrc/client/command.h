/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the daemon's command is. */

#ifndef CRFS_CLIENT_COMMAND_H
#define CRFS_CLIENT_COMMAND_H

#include "client/report.h"

#include <limits.h>

struct crfs_command {
  const void *near;    /* an address in the object file of the front end */
  char path[PATH_MAX]; /* absolute; "": not found so far */
};

/* Finds it, unless that was done: $CRFS_PLUGIN_DAEMON; or bin/crfs beside the object file that `near` lies in; or
 * PREFIX/lib/crfs-plugin/bin/crfs where that file is in PREFIX/libexec/fuse-overlayfs or PREFIX/libexec/crfs-plugin.
 * Returns 0, or -1 with FAILURE. Relative paths count from the working directory of now. */
int crfs_command_find(struct crfs_command *command, struct crfs_failure *failure);

#endif
