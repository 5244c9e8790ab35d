/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Everything that a mount shares with one daemon: their conversation, the request ring, and the daemon's directories.
 * A daemon that dies takes its connection along, and the next daemon gets a new one. */

#ifndef CRFS_CLIENT_CONNECTION_H
#define CRFS_CLIENT_CONNECTION_H

#include "client/command.h"
#include "client/control.h"
#include "client/introduction.h"
#include "shared/ring.h"

/* How daemons are reached, and what each is told first. */
struct crfs_contact {
  struct crfs_introduction introduction;
  struct crfs_command command;
  uint64_t timeout_ns; /* for somebody to listen; and without a byte of a file's content arriving */
};

struct crfs_connection {
  struct crfs_control control;
  struct crfs_ring *ring;
  struct crfs_doorbell *doorbell;
  int ring_fd, doorbell_fd; /* what these two are mapped from */
  int objects;              /* directory of published objects */
  int drafts;               /* directory of files that are being filled: shared/draft.h */
  int tmp;                  /* directory for what lives shortly; in a copy -1 */
  uint32_t users;
};

/* Connects, starting the daemon if none listens, and says hello. Bounded: the contact's timeout for somebody to listen,
 * and DEADLINE_NS. One thread at a time. Returns the connection, held once, or NULL with FAILURE. */
struct crfs_connection *crfs_connection_open(struct crfs_contact *contact, uint64_t deadline_ns,
                                             struct crfs_failure *failure);

/* Starts the daemon if none listens and nobody else is starting one, for a process that will connect soon. Whoever does
 * waits for this one: so it gives up after half of TIMEOUT_NS, and what fails it keeps to itself, for that process
 * finds out too. */
void crfs_connection_prepare(struct crfs_command *command, uint64_t timeout_ns);

/* What a connection is made of, but for its tmp directory: the socket, ring, doorbell, objects and drafts. */
#define CRFS_CONNECTION_FDS 5
void crfs_connection_fds(const struct crfs_connection *connection, int fds[CRFS_CONNECTION_FDS]);

/* The same connection in another table of descriptors, from duplicates that it takes over in any case. To ask through,
 * not to talk. Returns it, held once, or NULL and errno. */
struct crfs_connection *crfs_connection_copy(const int fds[CRFS_CONNECTION_FDS]);

/* Keeps a connection that somebody holds open until it is released once more. Any thread. */
void crfs_connection_hold(struct crfs_connection *connection);

/* Closes the connection if nobody else holds it. Any thread. */
void crfs_connection_release(struct crfs_connection *connection);

#endif
