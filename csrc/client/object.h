/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The content of regular files: objects that the daemon publishes. */

#ifndef CRFS_CLIENT_OBJECT_H
#define CRFS_CLIENT_OBJECT_H

#include "client/layer.h"

/* Opens the content of the regular file INODE for reading: at once if its object is there, else after the daemon has
 * made it. Returns a descriptor, or -1 and errno: ETIMEDOUT, EIO (no daemon can be had, or bytes that do not match
 * their digest), or what the worker met with. Any thread. */
int crfs_object_open(const struct crfs_layer *layer, uint32_t inode);

#endif
