/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/source.h"

#include "client/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
  return crfs_fail(failure, EINVAL,
                   "not a regular file; give the path of a layer, or oci:DIR or dir:DIR for an image in a directory");
}

struct crfs_source *crfs_source_make(struct crfs_session *session, const char *asked, struct crfs_failure *failure) {
  struct crfs_source *source = calloc(1, sizeof *source);
  if (source == NULL || (source->asked = strdup(asked)) == NULL) {
    free(source);
    crfs_fail(failure, ENOMEM, "out of memory");
    return NULL;
  }
  const int local = asked[0] == '/';
  source->session = session;
  source->blob = local ? open_blob(asked, failure) : -1;
  if (!local || source->blob >= 0)
    return source;
  crfs_source_free(source);
  return NULL;
}

void crfs_source_free(struct crfs_source *source) {
  if (source->blob >= 0)
    close(source->blob);
  free(source->asked);
  free(source->found);
  free(source);
}

enum crfs_outcome crfs_source_open(struct crfs_connection *connection, struct crfs_source *source, uint64_t deadline_ns,
                                   struct crfs_failure *failure) {
  struct crfs_control *control = &connection->control;
  int again = source->found != NULL;
  const char *text = again ? source->found : source->asked;
  const struct crfs_question open = {
      .message = {.type = CRFS_OPEN, .text_length = (uint32_t)strlen(text), .open = {.again = (uint32_t)again}},
      .text = text,
      .fd = source->blob,
      .answer = CRFS_OPENED,
  };
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

enum crfs_outcome crfs_source_open_layer(struct crfs_connection *connection, struct crfs_layer *layer,
                                         uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_question question = {
      .message = {.type = CRFS_LAYER, .layer = {.source = layer->source->number, .place = layer->place}},
      .fd = -1,
      .answer = CRFS_LAYER_INDEX,
      .answer_fds = 1,
  };
  int fds[CRFS_CONTROL_FD_LIMIT];
  if (layer->map != NULL)
    memcpy(question.message.layer.digest, layer->index.header->key, sizeof question.message.layer.digest);
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
