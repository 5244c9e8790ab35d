/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where those that read get at the daemon of now: a session, or a loan of its connection. */

#ifndef CRFS_CLIENT_CHANNEL_H
#define CRFS_CLIENT_CHANNEL_H

#include "client/connection.h"
#include "client/layer.h"

struct crfs_channel {
  struct crfs_session *session; /* whose layers are asked for */
  void *self;
  /* The connection of a daemon that lives, and the number by which that knows LAYER; for crfs_connection_release.
   * Returns NULL and errno: no daemon can be had, which was reported. Any thread. */
  struct crfs_connection *(*acquire)(void *self, const struct crfs_layer *layer, uint32_t *number);
  /* The same of the daemon that was asked last, which may have ended; or NULL: none was needed yet. Waits for nobody.
   */
  struct crfs_connection *(*hold)(void *self, const struct crfs_layer *layer, uint32_t *number);
};

#endif
