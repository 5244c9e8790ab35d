/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/session.h"

#include "client/mapping.h"
#include "client/source.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RENEWALS 3 /* in a row, when daemons end over what they are asked */

int crfs_session_begin(struct crfs_session *session, const struct crfs_front_end *front_end,
                       struct crfs_failure *failure) {
  struct crfs_failure ignored;
  memset(session, 0, sizeof *session);
  session->contact.timeout_ns = front_end->timeout_ns;
  session->contact.command.near = front_end->object;
  if (crfs_introduce(&session->contact.introduction, front_end->mountpoint, failure) < 0)
    return -1;
  crfs_command_find(&session->contact.command, &ignored); /* it is needed only if no daemon listens */
  pthread_mutex_init(&session->talk, NULL);
  pthread_mutex_init(&session->state, NULL);
  return 0;
}

void crfs_session_end(struct crfs_session *session) {
  while (session->sources != NULL) {
    struct crfs_source *source = session->sources;
    session->sources = source->next;
    crfs_source_free(source);
  }
  if (session->current != NULL)
    crfs_connection_release(session->current);
  session->current = NULL;
  pthread_mutex_destroy(&session->state);
  pthread_mutex_destroy(&session->talk);
}

/* Connects to a daemon and tells it all that the one before knew. CRFS_GONE: it ended over that. */
static enum crfs_outcome replay_session(struct crfs_session *session, struct crfs_connection **result,
                                        uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_connection *connection = crfs_connection_open(&session->contact, deadline_ns, failure);
  if (connection == NULL)
    return CRFS_REFUSED;
  enum crfs_outcome outcome = CRFS_ANSWERED;
  for (struct crfs_source *s = session->sources; s != NULL && outcome == CRFS_ANSWERED; s = s->next)
    outcome = crfs_source_open(connection, s, deadline_ns, failure);
  for (struct crfs_layer *l = session->layers; l != NULL && outcome == CRFS_ANSWERED; l = l->next)
    outcome = crfs_source_open_layer(connection, l, deadline_ns, failure);
  if (outcome == CRFS_ANSWERED)
    *result = connection;
  else
    crfs_connection_release(connection);
  return outcome;
}

static int attach(struct crfs_layer *layer, const struct crfs_connection *connection) {
  return layer->attach == NULL ? 0 : layer->attach(layer, connection->tmp);
}

static int is_over(struct crfs_session *session, struct crfs_failure *failure) {
  pthread_mutex_lock(&session->state);
  int over = session->over;
  pthread_mutex_unlock(&session->state);
  if (over)
    crfs_fail(failure, ECANCELED, "the mount ends");
  return over;
}

/* With `state` held. */
static void hang_up_if_over(const struct crfs_session *session) {
  if (session->over && session->current != NULL)
    shutdown(session->current->control.socket, SHUT_RDWR);
}

void crfs_session_rest(struct crfs_session *session) {
  pthread_mutex_lock(&session->state);
  shutdown(session->current->control.socket, SHUT_RDWR);
  pthread_mutex_unlock(&session->state);
}

void crfs_session_give_up(struct crfs_session *session) {
  pthread_mutex_lock(&session->state);
  session->over = 1;
  hang_up_if_over(session);
  pthread_mutex_unlock(&session->state);
}

void crfs_session_set_unseen(struct crfs_session *session) {
  pthread_mutex_lock(&session->state);
  session->unseen = 1;
  __atomic_store_n(&session->current->ring->unseen, 1, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&session->state);
}

/* Replaces the connection of now. With `talk` held. */
static int renew(struct crfs_session *session, uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_connection *fresh = NULL;
  for (int i = 0; i <= RENEWALS; i++)
    if (is_over(session, failure) || replay_session(session, &fresh, deadline_ns, failure) != CRFS_GONE)
      break;
  if (fresh == NULL)
    return -1;
  pthread_mutex_lock(&session->state);
  struct crfs_connection *old = session->current;
  session->current = fresh;
  fresh->ring->unseen = session->unseen;
  for (struct crfs_layer *l = session->layers; l != NULL; l = l->next)
    l->number = l->later;
  hang_up_if_over(session);
  pthread_mutex_unlock(&session->state);
  for (struct crfs_layer *l = session->layers; l != NULL; l = l->next)
    attach(l, fresh);
  if (old != NULL)
    crfs_connection_release(old);
  return 0;
}

int crfs_session_renew(struct crfs_session *session, const struct crfs_connection *dead, uint64_t deadline_ns,
                       struct crfs_failure *failure) {
  pthread_mutex_lock(&session->talk);
  int result = session->current == dead ? renew(session, deadline_ns, failure) : 0;
  pthread_mutex_unlock(&session->talk);
  return result;
}

struct crfs_connection *crfs_session_acquire(const struct crfs_layer *layer, uint32_t *number) {
  struct crfs_session *session = layer->source->session;
  pthread_mutex_lock(&session->state);
  struct crfs_connection *connection = session->current;
  crfs_connection_hold(connection);
  *number = layer->number;
  pthread_mutex_unlock(&session->state);
  return connection;
}

struct crfs_connection *crfs_session_acquire_live(const struct crfs_layer *layer, uint32_t *number) {
  struct crfs_session *session = layer->source->session;
  uint64_t deadline = crfs_now_ns() + session->contact.timeout_ns;
  for (int i = 0; i <= RENEWALS; i++) {
    struct crfs_failure failure;
    struct crfs_connection *connection = crfs_session_acquire(layer, number);
    if (!crfs_control_is_gone(&connection->control))
      return connection;
    int result = crfs_session_renew(session, connection, deadline, &failure);
    crfs_connection_release(connection);
    if (result < 0) {
      if (failure.error != ECANCELED)
        crfs_report(layer->source->asked, &failure);
      break;
    }
  }
  errno = EIO;
  return NULL;
}

static struct crfs_connection *acquire_live(void *self, const struct crfs_layer *layer, uint32_t *number) {
  (void)self;
  return crfs_session_acquire_live(layer, number);
}

static struct crfs_connection *acquire(void *self, const struct crfs_layer *layer, uint32_t *number) {
  (void)self;
  return crfs_session_acquire(layer, number);
}

struct crfs_channel crfs_session_channel(struct crfs_session *session) {
  return (struct crfs_channel){.session = session, .acquire = acquire_live, .hold = acquire};
}

/* Whether what was put into a list is open, by OUTCOME: at once, or by the next daemon where this one is gone, since
 * renewing the connection opens all that is in the lists. */
static int is_open(struct crfs_session *session, enum crfs_outcome outcome, struct crfs_failure *failure) {
  return outcome == CRFS_GONE ? renew(session, UINT64_MAX, failure) == 0 : outcome == CRFS_ANSWERED;
}

/* The source of ASKED, opened and in the list. With `talk` held. */
static struct crfs_source *add_source(struct crfs_session *session, const char *asked, struct crfs_failure *failure) {
  struct crfs_source *source = crfs_source_make(session, asked, failure);
  if (source == NULL)
    return NULL;
  source->next = session->sources;
  session->sources = source; /* already, as renewing the connection asks for all that is in the list */
  enum crfs_outcome outcome = CRFS_GONE;
  if (session->current != NULL)
    outcome = crfs_source_open(session->current, source, UINT64_MAX, failure);
  if (is_open(session, outcome, failure))
    return source;
  session->sources = source->next;
  crfs_source_free(source);
  return NULL;
}

struct crfs_source *crfs_session_source(struct crfs_session *session, const char *asked, struct crfs_failure *failure) {
  pthread_mutex_lock(&session->talk);
  struct crfs_source *source = session->sources;
  while (source != NULL && strcmp(source->asked, asked) != 0)
    source = source->next;
  if (source == NULL)
    source = add_source(session, asked, failure);
  pthread_mutex_unlock(&session->talk);
  return source;
}

/* Takes LAYER out of the list. With `talk` held. */
static void unlist(struct crfs_session *session, const struct crfs_layer *layer) {
  for (struct crfs_layer **l = &session->layers; *l != NULL; l = &(*l)->next)
    if (*l == layer) {
      *l = layer->next;
      break;
    }
}

int crfs_session_add(struct crfs_layer *layer, struct crfs_failure *failure) {
  struct crfs_session *session = layer->source->session;
  pthread_mutex_lock(&session->talk);
  layer->ordinal = session->ordinals++;
  layer->next = session->layers;
  session->layers = layer;
  enum crfs_outcome outcome = crfs_source_open_layer(session->current, layer, UINT64_MAX, failure);
  int result = is_open(session, outcome, failure) ? 0 : -1;
  if (result == 0 && attach(layer, session->current) < 0)
    result = crfs_fail(failure, errno, "cannot use the daemon's tmp directory: %s", strerror(errno));
  if (result == 0)
    layer->number = layer->later;
  else
    unlist(session, layer);
  pthread_mutex_unlock(&session->talk);
  return result;
}

void crfs_session_remove(struct crfs_layer *layer) {
  struct crfs_session *session = layer->source->session;
  pthread_mutex_lock(&session->talk);
  unlist(session, layer);
  pthread_mutex_unlock(&session->talk);
}

void crfs_session_show_process(const struct crfs_session *session) {
  if (session->current != NULL)
    crfs_control_here(&session->current->control);
}
