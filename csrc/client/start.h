/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Starting the daemon where none listens. */

#ifndef CRFS_CLIENT_START_H
#define CRFS_CLIENT_START_H

#include "client/report.h"

#include <stdint.h>

enum crfs_start {
  CRFS_STARTED,
  CRFS_RUNS_ALREADY, /* another daemon answers by now, or did a moment ago */
  CRFS_NOT_STARTED,  /* FAILURE tells why */
};

/* Runs `crfs daemon --ready-fd 3`, detached from this process, and waits until it is ready or another daemon turned out
 * to run already, at most until DEADLINE_NS. A daemon that ends is waited for by the one that was started: until then
 * it says that it lives, by an empty line now and then, or why it waits. The command is $CRFS_PLUGIN_DAEMON, or
 * bin/crfs beside this object, or PREFIX/lib/crfs-plugin/bin/crfs where this object is in
 * PREFIX/libexec/fuse-overlayfs; it is looked for once, at the first call, since the host changes its working directory
 * later. */
enum crfs_start crfs_daemon_start(uint64_t deadline_ns, struct crfs_failure *failure);

#endif
