/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/loan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RENEWALS 3 /* in a row, when daemons end as soon as they are borrowed */

union fd_space {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(CRFS_CONNECTION_FDS * sizeof(int))];
};

/* Sends that there is nothing to lend. */
static void send_nothing(int socket) {
  send(socket, "", 1, MSG_NOSIGNAL);
}

/* Sends the numbers of all layers with the descriptors of CONNECTION; or nothing, where the system has no room for
 * them. */
static void send_loan(int socket, uint32_t *numbers, size_t count, const struct crfs_connection *connection) {
  union fd_space space = {0};
  struct iovec part = {numbers, count * sizeof *numbers};
  struct msghdr packet = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
  int fds[CRFS_CONNECTION_FDS];
  crfs_connection_fds(connection, fds);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fds);
  memcpy(CMSG_DATA(rights), fds, sizeof fds);
  if (sendmsg(socket, &packet, MSG_NOSIGNAL) < 0)
    send_nothing(socket);
}

/* Lends what there is now: the connection and the numbers are of the same daemon. */
static void lend(struct crfs_session *session, int socket) {
  uint32_t number, *numbers = calloc(session->ordinals, sizeof *numbers);
  struct crfs_connection *live = numbers == NULL ? NULL : crfs_session_acquire_live(session->layers, &number);
  if (live == NULL) {
    send_nothing(socket);
    free(numbers);
    return;
  }
  crfs_connection_release(live);
  pthread_mutex_lock(&session->state);
  struct crfs_connection *connection = session->current;
  crfs_connection_hold(connection);
  for (const struct crfs_layer *l = session->layers; l != NULL; l = l->next)
    numbers[l->ordinal] = l->number;
  pthread_mutex_unlock(&session->state);
  send_loan(socket, numbers, session->ordinals, connection);
  crfs_connection_release(connection);
  free(numbers);
}

void crfs_loan_lend(struct crfs_session *session, int socket) {
  char question;
  ssize_t got;
  while ((got = recv(socket, &question, 1, 0)) > 0 || (got < 0 && errno == EINTR))
    if (got > 0)
      lend(session, socket);
}

int crfs_loan_begin(struct crfs_loan *loan, struct crfs_session *session, int socket) {
  loan->session = session;
  loan->socket = socket;
  loan->current = NULL;
  loan->numbers = calloc(session->ordinals, sizeof *loan->numbers);
  if (loan->numbers == NULL)
    return -1;
  pthread_mutex_init(&loan->talk, NULL);
  pthread_mutex_init(&loan->state, NULL);
  return 0;
}

void crfs_loan_end(struct crfs_loan *loan) {
  if (loan->current != NULL)
    crfs_connection_release(loan->current);
  pthread_mutex_destroy(&loan->state);
  pthread_mutex_destroy(&loan->talk);
  free(loan->numbers);
}

/* Receives what is lent, with NUMBERS. Returns the connection, or NULL: there is none. */
static struct crfs_connection *receive_loan(const struct crfs_loan *loan, uint32_t *numbers) {
  const size_t size = loan->session->ordinals * sizeof *numbers;
  union fd_space space;
  struct iovec part = {numbers, size};
  struct msghdr packet = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  int fds[CRFS_CONNECTION_FDS];
  ssize_t got;
  do
    got = recvmsg(loan->socket, &packet, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const struct cmsghdr *rights = got < 0 ? NULL : CMSG_FIRSTHDR(&packet);
  size_t count = rights == NULL ? 0 : (rights->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
  if (count > 0)
    memcpy(fds, CMSG_DATA(rights), count * sizeof *fds);
  if (got == (ssize_t)size && count == CRFS_CONNECTION_FDS)
    return crfs_connection_copy(fds);
  while (count > 0) /* what came of them, where there was no room for all */
    close(fds[--count]);
  return NULL;
}

/* Borrows the connection that is to take the place of DEAD, unless somebody did already. Returns 0, or -1. */
static int borrow(struct crfs_loan *loan, const struct crfs_connection *dead) {
  int result = 0;
  pthread_mutex_lock(&loan->talk);
  if (loan->current == dead) {
    uint32_t *numbers = calloc(loan->session->ordinals, sizeof *numbers);
    struct crfs_connection *fresh = NULL;
    if (numbers != NULL && send(loan->socket, "", 1, MSG_NOSIGNAL) == 1)
      fresh = receive_loan(loan, numbers);
    if (fresh != NULL) {
      pthread_mutex_lock(&loan->state);
      loan->current = fresh;
      memcpy(loan->numbers, numbers, loan->session->ordinals * sizeof *numbers);
      pthread_mutex_unlock(&loan->state);
      if (dead != NULL)
        crfs_connection_release((struct crfs_connection *)(uintptr_t)dead);
    }
    free(numbers);
    result = fresh == NULL ? -1 : 0;
  }
  pthread_mutex_unlock(&loan->talk);
  return result;
}

static struct crfs_connection *hold(void *self, const struct crfs_layer *layer, uint32_t *number) {
  struct crfs_loan *loan = self;
  pthread_mutex_lock(&loan->state);
  struct crfs_connection *connection = loan->current;
  if (connection != NULL)
    crfs_connection_hold(connection);
  *number = loan->numbers[layer->ordinal];
  pthread_mutex_unlock(&loan->state);
  return connection;
}

static struct crfs_connection *acquire(void *self, const struct crfs_layer *layer, uint32_t *number) {
  struct crfs_loan *loan = self;
  for (int i = 0; i <= RENEWALS; i++) {
    struct crfs_connection *connection = hold(loan, layer, number);
    if (connection != NULL && !crfs_control_is_gone(&connection->control))
      return connection;
    int result = borrow(loan, connection);
    if (connection != NULL)
      crfs_connection_release(connection);
    if (result < 0)
      break;
  }
  errno = EIO;
  return NULL;
}

struct crfs_channel crfs_loan_channel(struct crfs_loan *loan) {
  return (struct crfs_channel){.session = loan->session, .self = loan, .acquire = acquire, .hold = hold};
}
