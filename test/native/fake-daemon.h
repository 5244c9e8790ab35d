/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The parts of the fake daemon: the process (fake-daemon.c), what it answers to mounts (fake-daemon-answers.c) and to
 * their requests (fake-daemon-requests.c), and the files that it fills (fake-daemon-files.c). */

#ifndef CRFS_TEST_FAKE_DAEMON_H
#define CRFS_TEST_FAKE_DAEMON_H

#include "shared/index.h"
#include "shared/ring.h"

/* What all mounts are served from. */
extern struct fake_daemon {
  const char *fault; /* what it does wrong */
  int generation;    /* 1 for the first daemon that came up, and so on */
  int root;          /* the directory of FAKE_ROOT */
  int index_fd;      /* the sample's index */
  int bell_fd;       /* the doorbell that mounts get */
  const struct crfs_index *sample;
} fake;

struct mount {
  int socket;
  uint32_t tail;
  struct crfs_ring *ring; /* NULL until HELLO */
};

/* Ends the daemon with a line that says WHAT it needs and has not, unless CONDITION holds. */
void need(int condition, const char *what);

/* Whether to fail like that: always, or the first daemon alone ("first-..."). */
int fault(const char *name);

/* Answers one packet of a mount. Returns 0 once the mount is gone. */
int converse(struct mount *m);

/* Serves all requests in a mount's ring, and those that were held up, of whichever mount, once the gate is open. */
void serve(struct mount *m);

/* Fills chunks of a file of the sample in: in its draft, which becomes the object with the last of them. */
void fill(uint32_t inode, uint32_t first, uint32_t count);

#endif
