/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/tally.h"

void crfs_tally_note(struct crfs_connection *connection, uint32_t number, uint32_t inode, int error,
                     uint64_t waited_ns) {
  if (!crfs_trace_is_on(&connection->ring->trace))
    return;
  const struct crfs_opening opening = {
      .layer = number, .inode = inode, .error = (uint32_t)error, .at_ns = crfs_now_ns(), .waited_ns = waited_ns};
  crfs_trace_note(&connection->ring->trace, &opening);
}
