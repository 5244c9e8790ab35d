/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The one session of this process, which all layers of its mount share. */

#ifndef CRFS_PLUGIN_SESSION_H
#define CRFS_PLUGIN_SESSION_H

#include "client/session.h"
#include "lazy/lazy.h"

/* The session, begun at the first call: before the host goes into the background, and so leaves its process and its
 * working directory. One thread at a time. Returns NULL with FAILURE: of CRFS_TIMEOUT, or of the environment. */
struct crfs_session *crfs_plugin_session(struct crfs_failure *failure);

/* What opens files for reading in that session, once it has begun. */
struct crfs_lazy *crfs_plugin_lazy(void);

/* Ends it, where it has begun. */
void crfs_plugin_session_end(void);

#endif
