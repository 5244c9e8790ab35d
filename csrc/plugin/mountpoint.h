/* SPDX-License-Identifier: GPL-3.0-or-later */

#ifndef CRFS_PLUGIN_MOUNTPOINT_H
#define CRFS_PLUGIN_MOUNTPOINT_H

/* Where this host mounts, as an absolute path: its last argument, seen from its first working directory, which a host
 * leaves when it goes into the background. For people to read, and "?" where it cannot be told. The first call, which
 * must come before that, is not for several threads at once. */
const char *crfs_mountpoint(void);

#endif
