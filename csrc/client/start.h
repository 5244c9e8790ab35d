/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Starting the daemon where none listens. */

#ifndef CRFS_CLIENT_START_H
#define CRFS_CLIENT_START_H

#include "client/command.h"

#include <stdint.h>

enum crfs_start {
  CRFS_STARTED,
  CRFS_RUNS_ALREADY, /* another daemon answers by now, or did a moment ago */
  CRFS_NOT_STARTED,  /* FAILURE tells why */
};

/* Runs `crfs daemon --ready-fd 3`, detached from this process, and waits until it is ready or another daemon turned out
 * to run already, at most until DEADLINE_NS. A daemon that ends is waited for by the one that was started: until then
 * it says that it lives, by an empty line now and then, or why it waits. COMMAND is looked for if it was not found
 * before. */
enum crfs_start crfs_daemon_start(struct crfs_command *command, uint64_t deadline_ns, struct crfs_failure *failure);

#endif
