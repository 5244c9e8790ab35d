/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/session.h"

#include "client/mapping.h"
#include "client/timeout.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RENEWALS 3 /* of one question, when daemons end over it */

/* Held while talking to a daemon, and around the two lists. Taken before `state`. */
static pthread_mutex_t talk = PTHREAD_MUTEX_INITIALIZER;
static struct crfs_source *sources;
static struct crfs_layer *layers;

/* Held for moments, around `current`, the counts of users and the layers' numbers. */
static pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;
static struct crfs_connection *current;

/* In the child of a fork. The host goes into the background by one, after it has loaded the layers: the child is the
 * mount from then on. Other forks exec at once, and find the connection gone, or tell of a process that soon ends: the
 * daemon looks whether it lives. */
static void tell_who(void) {
  if (current != NULL)
    crfs_control_here(&current->control);
}

static void watch_forks(void) {
  pthread_atfork(NULL, NULL, tell_who);
}

struct crfs_connection *crfs_session_acquire(const struct crfs_layer *layer, uint32_t *number) {
  pthread_mutex_lock(&state);
  struct crfs_connection *connection = current;
  connection->users++;
  *number = layer->number;
  pthread_mutex_unlock(&state);
  return connection;
}

void crfs_session_release(struct crfs_connection *connection) {
  pthread_mutex_lock(&state);
  unsigned left = --connection->users;
  pthread_mutex_unlock(&state);
  if (left == 0)
    crfs_connection_close(connection);
}

/* Has the daemon open SOURCE. */
static enum crfs_outcome ask_open(struct crfs_connection *connection, struct crfs_source *source, uint64_t deadline_ns,
                                  struct crfs_failure *failure) {
  struct crfs_control *control = &connection->control;
  int again = source->found != NULL;
  const char *text = again ? source->found : source->asked;
  const struct crfs_question open = {
      .message = {.type = CRFS_OPEN, .text_length = (uint32_t)strlen(text), .open = {.again = (uint32_t)again}},
      .text = text,
      .fd = source->blob,
      .answer = CRFS_OPENED};
  enum crfs_outcome outcome = crfs_control_ask(control, &open, NULL, deadline_ns, failure);
  if (outcome != CRFS_ANSWERED)
    return outcome;
  uint32_t count = control->answer.opened.layers;
  if (count == 0 || count > INT32_MAX || (source->layers != 0 && source->layers != count)) {
    crfs_fail(failure, EPROTO, "the daemon tells of %u layers, and told of %u before", count, source->layers);
    return CRFS_REFUSED;
  }
  if (source->found == NULL && (source->found = strdup(control->text)) == NULL) {
    crfs_fail(failure, ENOMEM, "out of memory");
    return CRFS_REFUSED;
  }
  source->number = control->answer.opened.source;
  source->layers = count;
  return CRFS_ANSWERED;
}

/* Has the daemon number LAYER, into layer->later, and maps its index, or compares it with the one that is mapped. */
static enum crfs_outcome ask_layer(struct crfs_connection *connection, struct crfs_layer *layer, uint64_t deadline_ns,
                                   struct crfs_failure *failure) {
  struct crfs_question question = {
      .message = {.type = CRFS_LAYER, .layer = {.source = layer->source->number, .place = layer->place}},
      .fd = -1,
      .answer = CRFS_LAYER_INDEX,
      .answer_fds = 1,
  };
  int fds[CRFS_CONTROL_FD_LIMIT];
  if (layer->map != NULL)
    memcpy(question.message.layer.digest, layer->index.header->toc_digest, sizeof question.message.layer.digest);
  enum crfs_outcome outcome = crfs_control_ask(&connection->control, &question, fds, deadline_ns, failure);
  if (outcome != CRFS_ANSWERED)
    return outcome;
  const struct crfs_message_layer_index *answer = &connection->control.answer.layer_index;
  int result = layer->map == NULL ? crfs_mapping_make(layer, fds[0], answer->digest, failure)
                                  : crfs_mapping_compare(layer, fds[0], failure);
  close(fds[0]);
  layer->later = answer->number;
  return result == 0 ? CRFS_ANSWERED : CRFS_REFUSED;
}

/* Connects to a daemon and tells it all that the one before knew. CRFS_GONE: it ended over that. */
static enum crfs_outcome attempt(struct crfs_connection **result, uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_connection *connection = crfs_connection_open(deadline_ns, failure);
  if (connection == NULL)
    return CRFS_REFUSED;
  enum crfs_outcome outcome = CRFS_ANSWERED;
  for (struct crfs_source *s = sources; s != NULL && outcome == CRFS_ANSWERED; s = s->next)
    outcome = ask_open(connection, s, deadline_ns, failure);
  for (struct crfs_layer *l = layers; l != NULL && outcome == CRFS_ANSWERED; l = l->next)
    outcome = ask_layer(connection, l, deadline_ns, failure);
  if (outcome == CRFS_ANSWERED)
    *result = connection;
  else
    crfs_connection_close(connection);
  return outcome;
}

static struct crfs_connection *replace(uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_connection *connection = NULL;
  for (int i = 0; i <= RENEWALS; i++)
    if (attempt(&connection, deadline_ns, failure) != CRFS_GONE)
      break;
  return connection;
}

static int attach(struct crfs_layer *layer, const struct crfs_connection *connection) {
  return layer->attach == NULL ? 0 : layer->attach(layer, connection->tmp);
}

/* With `talk` held. */
static int renew(const struct crfs_connection *dead, uint64_t deadline_ns, struct crfs_failure *failure) {
  if (current != dead)
    return 0;
  struct crfs_connection *fresh = replace(deadline_ns, failure);
  if (fresh == NULL)
    return -1;
  fresh->users = 1; /* our own, as long as it is the current one */
  pthread_mutex_lock(&state);
  struct crfs_connection *old = current;
  current = fresh;
  for (struct crfs_layer *l = layers; l != NULL; l = l->next)
    l->number = l->later;
  pthread_mutex_unlock(&state);
  for (struct crfs_layer *l = layers; l != NULL; l = l->next)
    attach(l, fresh);
  if (old != NULL)
    crfs_session_release(old);
  return 0;
}

int crfs_session_renew(const struct crfs_connection *dead, uint64_t deadline_ns, struct crfs_failure *failure) {
  pthread_mutex_lock(&talk);
  int result = renew(dead, deadline_ns, failure);
  pthread_mutex_unlock(&talk);
  return result;
}

struct crfs_connection *crfs_session_acquire_live(const struct crfs_layer *layer) {
  uint64_t deadline = crfs_now_ns() + crfs_timeout();
  for (int i = 0; i <= RENEWALS; i++) {
    uint32_t number;
    struct crfs_failure failure;
    struct crfs_connection *connection = crfs_session_acquire(layer, &number);
    if (!crfs_control_is_gone(&connection->control))
      return connection;
    int result = crfs_session_renew(connection, deadline, &failure);
    crfs_session_release(connection);
    if (result < 0) {
      crfs_report(layer->source->asked, &failure);
      break;
    }
  }
  errno = EIO;
  return NULL;
}

/* A question that is asked again where a daemon ends over it; with `talk` held, before the mount is served. */
typedef enum crfs_outcome question(struct crfs_connection *, void *what, struct crfs_failure *);

static int insist(question *ask, void *what, struct crfs_failure *failure) {
  for (int i = 0; i <= RENEWALS; i++) {
    if ((i > 0 || current == NULL) && renew(current, UINT64_MAX, failure) < 0)
      return -1;
    enum crfs_outcome outcome = ask(current, what, failure);
    if (outcome != CRFS_GONE)
      return outcome == CRFS_ANSWERED ? 0 : -1;
  }
  return -1;
}

static enum crfs_outcome question_open(struct crfs_connection *connection, void *what, struct crfs_failure *failure) {
  return ask_open(connection, what, UINT64_MAX, failure);
}

static enum crfs_outcome question_layer(struct crfs_connection *connection, void *what, struct crfs_failure *failure) {
  return ask_layer(connection, what, UINT64_MAX, failure);
}

/* Opens the local file with the mount's own rights, in its own mount namespace. Never waits: a fifo is refused. */
static int open_blob(const char *path, struct crfs_failure *failure) {
  struct stat st;
  int blob = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (blob < 0)
    return crfs_fail(failure, errno, "cannot open it: %s; give the path of a layer file that you may read",
                     strerror(errno));
  if (fstat(blob, &st) == 0 && S_ISREG(st.st_mode))
    return blob;
  close(blob);
  return crfs_fail(failure, EINVAL, "not a regular file; give the path of a stargz or eStargz layer");
}

static void free_source(struct crfs_source *source) {
  if (source->blob >= 0)
    close(source->blob);
  free(source->asked);
  free(source->found);
  free(source);
}

static struct crfs_source *make_source(const char *asked, struct crfs_failure *failure) {
  struct crfs_source *source = calloc(1, sizeof *source);
  if (source == NULL || (source->asked = strdup(asked)) == NULL) {
    free(source);
    crfs_fail(failure, ENOMEM, "out of memory");
    return NULL;
  }
  const int local = asked[0] == '/';
  source->blob = local ? open_blob(asked, failure) : -1;
  if ((local && source->blob < 0) || insist(question_open, source, failure) < 0) {
    free_source(source);
    return NULL;
  }
  source->next = sources;
  sources = source;
  return source;
}

struct crfs_source *crfs_session_source(const char *asked) {
  struct crfs_failure failure;
  pthread_mutex_lock(&talk);
  static pthread_once_t watched = PTHREAD_ONCE_INIT;
  pthread_once(&watched, watch_forks);
  struct crfs_source *source = sources;
  while (source != NULL && strcmp(source->asked, asked) != 0)
    source = source->next;
  if (source == NULL && (crfs_timeout_read(&failure) < 0 || (source = make_source(asked, &failure)) == NULL))
    crfs_report(asked, &failure);
  pthread_mutex_unlock(&talk);
  if (source == NULL)
    errno = failure.error; /* the host prints it after our line */
  return source;
}

int crfs_session_add(struct crfs_layer *layer, struct crfs_failure *failure) {
  pthread_mutex_lock(&talk);
  int result = insist(question_layer, layer, failure);
  if (result == 0 && attach(layer, current) < 0)
    result = crfs_fail(failure, errno, "cannot use the daemon's tmp directory: %s", strerror(errno));
  if (result == 0) {
    layer->number = layer->later;
    layer->next = layers;
    layers = layer;
  }
  pthread_mutex_unlock(&talk);
  return result;
}

void crfs_session_remove(struct crfs_layer *layer) {
  pthread_mutex_lock(&talk);
  for (struct crfs_layer **l = &layers; *l != NULL; l = &(*l)->next)
    if (*l == layer) {
      *l = layer->next;
      break;
    }
  pthread_mutex_unlock(&talk);
}

void crfs_session_end(void) {
  while (sources != NULL) {
    struct crfs_source *source = sources;
    sources = source->next;
    free_source(source);
  }
  if (current != NULL)
    crfs_session_release(current);
  current = NULL;
}
