/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How long an open may wait for its content. */

#ifndef CRFS_CLIENT_TIMEOUT_H
#define CRFS_CLIENT_TIMEOUT_H

#include "client/report.h"

#include <stdint.h>

/* Takes in $CRFS_TIMEOUT. Returns 0, or -1 with FAILURE: it is no number of seconds. */
int crfs_timeout_read(struct crfs_failure *failure);

/* Nanoseconds: as taken in, or 60 s. */
uint64_t crfs_timeout(void);

#endif
