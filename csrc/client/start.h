/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Starting the daemon where none listens. */

#ifndef CRFS_CLIENT_START_H
#define CRFS_CLIENT_START_H

#include "client/report.h"

#include <stdint.h>

/* Runs `crfs daemon --ready-fd 3`, detached from this process, and waits until it is ready or another daemon turned out
 * to run already, at most until DEADLINE_NS. The command is $CRFS_PLUGIN_DAEMON, or bin/crfs beside this object, or
 * PREFIX/lib/crfs-plugin/bin/crfs where this object is in PREFIX/libexec/fuse-overlayfs; it is looked for once, at the
 * first call, since the host changes its working directory later. Returns 0, or -1 with FAILURE. */
int crfs_daemon_start(uint64_t deadline_ns, struct crfs_failure *failure);

#endif
