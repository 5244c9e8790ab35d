/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/stored.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TRIES 4 /* in a row, when daemons end over what they are asked */

/* Asks QUESTION, about the source of LAYER, through CONNECTION. CRFS_GONE: it is no longer the one of now, either. */
static enum crfs_outcome ask_through(struct crfs_connection *connection, const struct crfs_layer *layer,
                                     struct crfs_question *question, int *fd, struct crfs_message *answer, char **text,
                                     struct crfs_failure *failure) {
  struct crfs_session *session = layer->source->session;
  enum crfs_outcome outcome = CRFS_GONE;
  crfs_fail(failure, ECONNRESET, "the daemon ended");
  pthread_mutex_lock(&session->talk);
  if (session->current == connection) {
    question->message.describe.source = layer->source->number;
    outcome = crfs_control_ask(&connection->control, question, fd, UINT64_MAX, failure);
    *answer = connection->control.answer;
    if (outcome == CRFS_ANSWERED && text != NULL && (*text = strdup(connection->control.text)) == NULL) {
      crfs_fail(failure, ENOMEM, "out of memory");
      outcome = CRFS_REFUSED;
    }
  }
  pthread_mutex_unlock(&session->talk);
  return outcome;
}

/* The same of the daemon of now, or the next one. */
static int ask(const struct crfs_layer *layer, struct crfs_question *question, int *fd, struct crfs_message *answer,
               char **text, struct crfs_failure *failure) {
  enum crfs_outcome outcome = CRFS_GONE;
  for (int tries = 0; tries < TRIES && outcome == CRFS_GONE; tries++) {
    uint32_t number;
    struct crfs_connection *connection = crfs_session_acquire_live(layer, &number);
    if (connection == NULL)
      return crfs_fail(failure, errno, "there is no daemon");
    outcome = ask_through(connection, layer, question, fd, answer, text, failure);
    crfs_connection_release(connection);
  }
  return outcome == CRFS_ANSWERED ? 0 : -1;
}

int crfs_stored_describe(struct crfs_layer *layer, char **json, uint64_t *blob_size, struct crfs_failure *failure) {
  struct crfs_question question = {.message = {.type = CRFS_DESCRIBE}, .fd = -1, .answer = CRFS_DESCRIBED};
  struct crfs_message answer;
  if (ask(layer, &question, NULL, &answer, json, failure) < 0)
    return -1;
  *blob_size = answer.described.size;
  return 0;
}

int crfs_stored_read(struct crfs_layer *layer, uint64_t offset, size_t size, char *buffer,
                     struct crfs_failure *failure) {
  struct crfs_question question = {.message = {.type = CRFS_FETCH, .fetch = {.offset = offset, .size = size}},
                                   .fd = -1,
                                   .answer = CRFS_FETCHED,
                                   .answer_fds = 1};
  struct crfs_message answer;
  int blob;
  if (ask(layer, &question, &blob, &answer, NULL, failure) < 0)
    return -1;
  ssize_t got = pread(blob, buffer, size, (off_t)offset);
  int error = got < 0 ? errno : EIO;
  close(blob);
  return got == (ssize_t)size ? 0 : crfs_fail(failure, error, "cannot read its blob: %s", strerror(error));
}

int crfs_stored_refer(struct crfs_layer *layer, const char *asked, int less, uint32_t *uses,
                      struct crfs_failure *failure) {
  struct crfs_question question = {
      .message = {.type = CRFS_REFER, .text_length = (uint32_t)strlen(asked), .refer = {.less = less != 0}},
      .text = asked,
      .fd = -1,
      .answer = CRFS_REFERRED};
  struct crfs_message answer;
  if (ask(layer, &question, NULL, &answer, NULL, failure) < 0)
    return -1;
  *uses = answer.referred.uses;
  return 0;
}
