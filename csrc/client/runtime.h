/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where the daemon's sockets are: in the cache that it owns, $XDG_CACHE_HOME/crfs-plugin, or ~/.cache/crfs-plugin where
 * that variable is no absolute path. The user's alone. src/main/settings/directories.ts looks there too. */

#ifndef CRFS_CLIENT_RUNTIME_H
#define CRFS_CLIENT_RUNTIME_H

#include "client/report.h"

/* Opens that directory, made if it is missing. Returns its descriptor, or -1 with FAILURE: it is not ours, or open to
 * others. */
int crfs_runtime_open(struct crfs_failure *failure);

#endif
