/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The one thing that the server gives to whoever started it: a descriptor of the mount's root. */

#ifndef CRFS_LOWER_HANDOVER_H
#define CRFS_LOWER_HANDOVER_H

/* Sends the descriptor ROOT, which stays the caller's, and lets this process outlive its parent. Returns 0, or -1. */
int crfs_handover_give(int socket, int root);

/* Waits until whoever got it has closed the other end: it is attached by then, or never will be. */
void crfs_handover_wait(int socket);

/* Waits for it. Returns it, or -1: the other end has closed. */
int crfs_handover_take(int socket);

#endif
