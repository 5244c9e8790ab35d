/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A front end's life with its daemons: one connection at a time, renewed when a daemon dies, with all sources and
 * layers carried over. Threads that still use an older connection keep it until they release it. A process may have
 * several sessions, which share nothing. */

#ifndef CRFS_CLIENT_SESSION_H
#define CRFS_CLIENT_SESSION_H

#include "client/channel.h"
#include "client/connection.h"
#include "client/layer.h"

#include <pthread.h>

/* What a front end tells of itself. */
struct crfs_front_end {
  const char *mountpoint; /* where it mounts: for people to read */
  uint64_t timeout_ns;    /* how long an open may wait for its content */
  const void *object;     /* any address in the front end's own object file, which the daemon's command lies near */
};

struct crfs_session {
  struct crfs_contact contact;
  /* Held while talking to a daemon, and around the two lists. Taken before `state`. */
  pthread_mutex_t talk;
  struct crfs_source *sources;
  struct crfs_layer *layers;
  uint32_t ordinals; /* given out */
  /* Held for moments, around `current`, `over` and the layers' numbers. */
  pthread_mutex_t state;
  struct crfs_connection *current; /* NULL until the first source */
  int over;                        /* no daemon is asked any more */
  uint32_t unseen;                 /* for the ring: shared/ring.h */
};

/* Begins a session. The working directory and the environment of now are those that it will always have. Contacts
 * nobody yet. Returns 0, or -1 with FAILURE: then there is nothing to end. */
int crfs_session_begin(struct crfs_session *session, const struct crfs_front_end *front_end,
                       struct crfs_failure *failure);

/* Ends it, once no layer is left and no thread uses it. */
void crfs_session_end(struct crfs_session *session);

/* The source that the configuration ASKED names, opened at first sight: a local file by its absolute path, else what
 * the daemon is to resolve. Returns it, owned by the session, or NULL with FAILURE. */
struct crfs_source *crfs_session_source(struct crfs_session *session, const char *asked, struct crfs_failure *failure);

/* Has the daemon give LAYER (source, place and attach are set) its number and its index, and keeps it in the session of
 * its source. Returns 0, or -1 with FAILURE. */
int crfs_session_add(struct crfs_layer *layer, struct crfs_failure *failure);

/* Forgets LAYER. */
void crfs_session_remove(struct crfs_layer *layer);

/* The connection of now, and the number by which its daemon knows LAYER; for crfs_connection_release. Never waits. */
struct crfs_connection *crfs_session_acquire(const struct crfs_layer *layer, uint32_t *number);

/* Replaces DEAD, unless somebody did already. Returns 0, or -1 with FAILURE. */
int crfs_session_renew(struct crfs_session *session, const struct crfs_connection *dead, uint64_t deadline_ns,
                       struct crfs_failure *failure);

/* As crfs_session_acquire, but of a daemon that lives: renews the connection where it is gone. Returns NULL and errno
 * on failure: reported. */
struct crfs_connection *crfs_session_acquire_live(const struct crfs_layer *layer, uint32_t *number);

/* Both of the above, for threads that share the session's descriptors. */
struct crfs_channel crfs_session_channel(struct crfs_session *session);

/* Has the daemon of now, and each later one, know that the kernel opens by itself what is published. */
void crfs_session_set_unseen(struct crfs_session *session);

/* Hangs up on the daemon of now, which lets go of all that it has for the session. Whoever needs it next connects
 * again. */
void crfs_session_rest(struct crfs_session *session);

/* Has whoever waits for a daemon give up, for good: the mount ends. */
void crfs_session_give_up(struct crfs_session *session);

/* In the child of a fork that goes on with the mount: shows the daemon which process that is now. Async-signal-safe. */
void crfs_session_show_process(const struct crfs_session *session);

#endif
