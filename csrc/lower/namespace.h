/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The mount namespace of the server: a copy of that in which it was started, so that it does not keep the latter alive,
 * nor the mounts of layers in it. */

#ifndef CRFS_LOWER_NAMESPACE_H
#define CRFS_LOWER_NAMESPACE_H

#include "client/report.h"

/* Whether what is mounted later in the mount namespace of this process comes to copies of it as well, which may be left
 * when it has gone: its root is shared, and it is not the namespace of process 1, which stays. */
int crfs_namespace_outlived(void);

/* Moves this process, which has one thread, into a copy of its mount namespace that has no mount of layers but those
 * that one of PATHS lies in, a list that is ended by NULL. What is unmounted elsewhere goes here, too, where the system
 * passes that on. Returns 0, or -1 with FAILURE. */
int crfs_namespace_leave(const char *const *paths, struct crfs_failure *failure);

#endif
