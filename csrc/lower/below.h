/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The plain directories below the layers of a mount: whether they have a name that a layer hides. */

#ifndef CRFS_LOWER_BELOW_H
#define CRFS_LOWER_BELOW_H

#include <stddef.h>

/* Whether one of the directories BELOW, the topmost first, ended by NULL, may show something at the first LENGTH bytes
 * of PATH, which is relative and clean. Any thread. */
int crfs_below_has(const char *const *below, const char *path, size_t length);

#endif
