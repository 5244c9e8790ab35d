/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A session's connection in another table of descriptors: for threads that ask through the session's ring, but share no
 * descriptors with it. Whoever lends talks to daemons, in the session's table; those who borrow get duplicates. */

#ifndef CRFS_CLIENT_LOAN_H
#define CRFS_CLIENT_LOAN_H

#include "client/session.h"

struct crfs_loan {
  struct crfs_session *session; /* whose layers are asked for */
  int socket;                   /* to whoever lends */
  pthread_mutex_t talk;         /* held while a connection is being borrowed; taken before `state` */
  pthread_mutex_t state;        /* held for moments, around what follows */
  struct crfs_connection *current;
  uint32_t *numbers; /* of layers, by their ordinals, to the daemon of `current` */
};

/* Lends the connection of SESSION to whoever asks on the other end of SOCKET, a pair of SOCK_SEQPACKET, until that is
 * shut down; one that is gone is renewed before. No layer may be added or removed meanwhile. */
void crfs_loan_lend(struct crfs_session *session, int socket);

/* Begins to borrow. SOCKET stays the caller's. Returns 0, or -1 without memory. */
int crfs_loan_begin(struct crfs_loan *loan, struct crfs_session *session, int socket);
void crfs_loan_end(struct crfs_loan *loan);

/* The connection of now, of a daemon that may have ended, and the number by which that knew LAYER; or NULL: none was
 * needed yet. Waits for nobody. */
struct crfs_connection *crfs_loan_hold(struct crfs_loan *loan, const struct crfs_layer *layer, uint32_t *number);

/* The connection of a daemon that lives, and the number by which that knows LAYER; for crfs_connection_release. Returns
 * NULL and errno: no daemon can be had, which whoever lends has reported. Any thread of the borrowers' table. */
struct crfs_connection *crfs_loan_acquire(struct crfs_loan *loan, const struct crfs_layer *layer, uint32_t *number);

#endif
