/* SPDX-License-Identifier: GPL-3.0-or-later */

#ifndef CRFS_PLUGIN_MOUNTPOINT_H
#define CRFS_PLUGIN_MOUNTPOINT_H

#include <limits.h>

/* Where this host mounts, as an absolute path: its last argument, seen from its working directory, which a host leaves
 * when it goes into the background. For people to read, and "?" where it cannot be told. */
void crfs_mountpoint(char mountpoint[PATH_MAX]);

#endif
