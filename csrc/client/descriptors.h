/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A table of descriptors as a whole. */

#ifndef CRFS_CLIENT_DESCRIPTORS_H
#define CRFS_CLIENT_DESCRIPTORS_H

/* Closes all descriptors of this thread's table from FIRST to LAST, both included. Async-signal-safe. */
void crfs_descriptors_close(unsigned first, unsigned last);

#endif
