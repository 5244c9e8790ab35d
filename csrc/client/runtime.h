/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The runtime directory, where the daemon's socket lives: $XDG_RUNTIME_DIR/crfs-plugin, or /tmp/crfs-plugin-UID where
 * that variable names no directory. The user's alone. */

#ifndef CRFS_CLIENT_RUNTIME_H
#define CRFS_CLIENT_RUNTIME_H

#include "client/report.h"

/* Opens the runtime directory, made if it is missing. Returns its descriptor, or -1 with FAILURE: it is not ours, or
 * open to others. */
int crfs_runtime_open(struct crfs_failure *failure);

#endif
