/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plain directories that a mount hides, as they are its mountpoint, or lie in it. */

#ifndef CRFS_LOWER_BENEATH_H
#define CRFS_LOWER_BENEATH_H

#include "lower/server.h"

/* Has SERVICE name by descriptors those of its plain directories that will be hidden, so that they are found whatever
 * is mounted at its mountpoint. To be called in the mount namespace that the mount is made in; the descriptors stay
 * open as long as the process. A directory that cannot be opened keeps its name. */
void crfs_beneath_hold(struct crfs_service *service);

#endif
