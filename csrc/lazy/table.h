/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A table of descriptors that only some threads of the process share.
 *
 * Why: a thread that reads from a FUSE file waits for the answer even when it is killed, once the request was taken. If
 * whoever took it is a thread of the same process, it is killed, too, and nobody answers: what ends such a wait is that
 * the device is closed. So the device must not be in a table that the waiting thread keeps alive. */

#ifndef CRFS_LAZY_TABLE_H
#define CRFS_LAZY_TABLE_H

/* Gives this thread, and those that it makes from now on, a table of their own: with the standard descriptors and the
 * two KEEPs, by the same numbers. Returns 0, or -1 and errno. */
int crfs_table_part(int keep, int also);

#endif
