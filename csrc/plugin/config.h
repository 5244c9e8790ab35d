/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a lowerdir asks for: the text behind `//crfs/`, in base64 or base64url. */

#ifndef CRFS_PLUGIN_CONFIG_H
#define CRFS_PLUGIN_CONFIG_H

#include "client/report.h"
#include "shared/control.h"

struct crfs_config {
  char text[CRFS_CONTROL_TEXT_LIMIT + 1]; /* a local file: its absolute path; else what the daemon is to resolve */
};

/* Decodes OPAQUE, with or without padding, and `file:///PATH` to PATH. Returns 0, or -1 with FAILURE. */
int crfs_config_decode(struct crfs_config *config, const char *opaque, struct crfs_failure *failure);

#endif
