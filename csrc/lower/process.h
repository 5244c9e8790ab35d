/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a server does with its own process. */

#ifndef CRFS_LOWER_PROCESS_H
#define CRFS_LOWER_PROCESS_H

/* Takes what is mounted at PATH in this process's mount namespace out of that, and goes to its root directory. */
void crfs_process_leave(const char *path);

/* Has this process keep open as many files as it may: those that are read stay open. */
void crfs_process_raise_limit(void);

/* Lets go of the terminal, or the pipe, of whoever started it. */
void crfs_process_leave_output(void);

#endif
