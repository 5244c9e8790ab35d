/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The process that serves the layers of one mount, as long as that exists. */

#ifndef CRFS_LOWER_SERVER_H
#define CRFS_LOWER_SERVER_H

#include <stdint.h>

/* What to serve, and where. */
struct crfs_service {
  const char *asked; /* the configuration: a local file by its absolute path, else what the daemon is to resolve; NULL:
                        a store, of what it will be asked for */
  uint64_t patience_ns;     /* of a store: how long a look-up waits */
  const char *merged;       /* the mountpoint, an absolute path */
  int foreground;           /* it goes on to report on stderr */
  const char **below;       /* directories below the layers, the topmost first; ended by NULL */
  const char *upper, *work; /* both, or NULL */
  const char *const *paths; /* all of these that may be paths, ended by NULL */
  char **options;           /* further ones, as crfs_overlay has them */
};

/* How a server can end. */
enum crfs_end {
  CRFS_SERVED = 0,     /* the mount has gone */
  CRFS_NO_LAYERS = 1,  /* they cannot be had */
  CRFS_NO_OVERLAY = 3, /* this machine, or these rights, cannot mount them in this way */
};

/* Makes the mount, passes a descriptor of its root to the other end of SOCKET, and serves it until it has gone. What
 * goes wrong before is reported. */
enum crfs_end crfs_server_run(struct crfs_service *service, int socket);

#endif
