/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A session's connection in another table of descriptors: for threads that ask through the session's ring, but share no
 * descriptors with it. Whoever lends talks to daemons, in the session's table; those who borrow get duplicates. */

#ifndef CRFS_CLIENT_LOAN_H
#define CRFS_CLIENT_LOAN_H

#include "client/channel.h"
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

/* Borrows whenever the daemon of now is gone: for all threads of the borrowers' table. */
struct crfs_channel crfs_loan_channel(struct crfs_loan *loan);

#endif
