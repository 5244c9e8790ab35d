/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a mount tells every daemon of itself: the text of HELLO. */

#ifndef CRFS_CLIENT_INTRODUCTION_H
#define CRFS_CLIENT_INTRODUCTION_H

#include "client/report.h"

#include <stdint.h>

struct crfs_introduction {
  const char *text; /* static; holds NULs */
  uint32_t length;
};

/* Composes it at first, as later the host has another working directory; then it stays the same. Returns 0, or -1 with
 * FAILURE: the environment has more than a message takes. One thread at a time. */
int crfs_introduce(struct crfs_introduction *introduction, struct crfs_failure *failure);

#endif
