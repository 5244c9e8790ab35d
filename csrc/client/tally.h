/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a mount tells the daemon of its opens and reads: counters for `crfs status`, and the trace. */

#ifndef CRFS_CLIENT_TALLY_H
#define CRFS_CLIENT_TALLY_H

#include "client/connection.h"

static inline void crfs_tally(uint64_t *counter, uint64_t by) {
  __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

/* Notes in the trace, while somebody watches, that INODE of the layer with that NUMBER was opened, or read from, and
 * waited for. ERROR is an errno, or 0. */
void crfs_tally_note(struct crfs_connection *connection, uint32_t number, uint32_t inode, int error,
                     uint64_t waited_ns);

#endif
