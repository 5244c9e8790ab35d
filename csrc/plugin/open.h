/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Opening files, as the host asks for it. */

#ifndef CRFS_PLUGIN_OPEN_H
#define CRFS_PLUGIN_OPEN_H

#include "plugin/host.h"

int crfs_openat(struct ovl_layer *l, const char *path, int flags, mode_t mode);

#endif
