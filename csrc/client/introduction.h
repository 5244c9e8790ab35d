/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a mount tells every daemon of itself: the text of HELLO. */

#ifndef CRFS_CLIENT_INTRODUCTION_H
#define CRFS_CLIENT_INTRODUCTION_H

#include "client/report.h"
#include "shared/control.h"

struct crfs_introduction {
  uint32_t length;
  char text[CRFS_CONTROL_TEXT_LIMIT]; /* holds NULs */
};

/* Composes it of MOUNTPOINT, the working directory and the environment. Returns 0, or -1 with FAILURE: these are more
 * than a message takes. */
int crfs_introduce(struct crfs_introduction *introduction, const char *mountpoint, struct crfs_failure *failure);

#endif
