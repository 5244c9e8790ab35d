/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How long an open may wait for its content. */

#ifndef CRFS_CLIENT_TIMEOUT_H
#define CRFS_CLIENT_TIMEOUT_H

#include "client/report.h"

#include <stdint.h>

/* Sets *TIMEOUT_NS to $CRFS_TIMEOUT, or to 60 s where that is not set. Returns 0, or -1 with FAILURE: it is no number
 * of seconds. */
int crfs_timeout_read(uint64_t *timeout_ns, struct crfs_failure *failure);

#endif
