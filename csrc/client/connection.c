/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/connection.h"

#include "client/runtime.h"
#include "client/start.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RETRY_NS 5000000l

static void *map_shared(int fd, size_t size) {
  void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return map == MAP_FAILED ? NULL : map;
}

/* Makes the ring in a memfd of a size that nobody can change any more: a mapping never loses its pages. */
static int make_ring(struct crfs_connection *connection, struct crfs_failure *failure) {
  int fd = connection->ring_fd = memfd_create("crfs-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0 && ftruncate(fd, sizeof(struct crfs_ring)) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    connection->ring = map_shared(fd, sizeof *connection->ring);
  if (connection->ring == NULL)
    return crfs_fail(failure, errno, "cannot make the request ring: %s", strerror(errno));
  crfs_ring_init(connection->ring);
  return 0;
}

static int is_of_type(int fd, mode_t type, off_t size) {
  struct stat st;
  return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_size >= size;
}

/* Takes over what WELCOME brought. */
static int take_welcome(struct crfs_connection *connection, const int fds[4], struct crfs_failure *failure) {
  connection->doorbell_fd = fds[0];
  connection->objects = fds[1];
  connection->drafts = fds[2];
  connection->tmp = fds[3];
  if (is_of_type(fds[0], S_IFREG, sizeof(struct crfs_doorbell)) && is_of_type(fds[1], S_IFDIR, 0) &&
      is_of_type(fds[2], S_IFDIR, 0) && is_of_type(fds[3], S_IFDIR, 0))
    connection->doorbell = map_shared(fds[0], sizeof *connection->doorbell);
  if (connection->doorbell == NULL)
    return crfs_fail(failure, EPROTO, "the daemon's welcome lacks its doorbell or a directory");
  return 0;
}

static enum crfs_outcome say_hello(struct crfs_connection *connection, const struct crfs_introduction *introduction,
                                   uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_question hello = {
      .message = {.type = CRFS_HELLO, .text_length = introduction->length, .hello = {.version = CRFS_CONTROL_VERSION}},
      .text = introduction->text,
      .answer = CRFS_WELCOME,
      .answer_fds = 4,
  };
  int fds[CRFS_CONTROL_FD_LIMIT];
  if (make_ring(connection, failure) < 0)
    return CRFS_REFUSED;
  hello.fd = connection->ring_fd;
  enum crfs_outcome outcome = crfs_control_ask(&connection->control, &hello, fds, deadline_ns, failure);
  if (outcome == CRFS_ANSWERED && take_welcome(connection, fds, failure) < 0)
    return CRFS_REFUSED;
  return outcome;
}

/* A connection of nothing, held once; or NULL and errno. */
static struct crfs_connection *make_connection(void) {
  struct crfs_connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL)
    return NULL;
  connection->control.socket = connection->ring_fd = connection->doorbell_fd = -1;
  connection->objects = connection->drafts = connection->tmp = -1;
  connection->users = 1;
  return connection;
}

static void close_connection(struct crfs_connection *connection) {
  const int fds[] = {connection->control.socket, connection->ring_fd, connection->doorbell_fd,
                     connection->objects,        connection->drafts,  connection->tmp};
  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
    if (fds[i] >= 0)
      close(fds[i]);
  if (connection->ring != NULL)
    munmap(connection->ring, sizeof *connection->ring);
  if (connection->doorbell != NULL)
    munmap(connection->doorbell, sizeof *connection->doorbell);
  free(connection);
}

void crfs_connection_fds(const struct crfs_connection *connection, int fds[CRFS_CONNECTION_FDS]) {
  fds[0] = connection->control.socket;
  fds[1] = connection->ring_fd;
  fds[2] = connection->doorbell_fd;
  fds[3] = connection->objects;
  fds[4] = connection->drafts;
}

struct crfs_connection *crfs_connection_copy(const int fds[CRFS_CONNECTION_FDS]) {
  struct crfs_connection *connection = make_connection();
  if (connection == NULL) {
    for (int i = 0; i < CRFS_CONNECTION_FDS; i++)
      close(fds[i]);
    return NULL;
  }
  connection->control.socket = fds[0];
  connection->ring_fd = fds[1];
  connection->doorbell_fd = fds[2];
  connection->objects = fds[3];
  connection->drafts = fds[4];
  connection->ring = map_shared(fds[1], sizeof *connection->ring);
  connection->doorbell = map_shared(fds[2], sizeof *connection->doorbell);
  if (connection->ring != NULL && connection->doorbell != NULL)
    return connection;
  close_connection(connection);
  return NULL;
}

void crfs_connection_hold(struct crfs_connection *connection) {
  __atomic_fetch_add(&connection->users, 1, __ATOMIC_RELAXED);
}

void crfs_connection_release(struct crfs_connection *connection) {
  /* acq_rel: whoever closes it does so after all that the others did with it */
  if (__atomic_sub_fetch(&connection->users, 1, __ATOMIC_ACQ_REL) == 0)
    close_connection(connection);
}

/* CRFS_GONE: nobody listens, or whoever did has ended; failure->error tells which. */
static enum crfs_outcome connect_once(struct crfs_contact *contact, struct crfs_connection **result, int directory,
                                      uint64_t deadline_ns, struct crfs_failure *failure) {
  struct crfs_connection *connection = make_connection();
  if (connection == NULL) {
    crfs_fail(failure, ENOMEM, "out of memory");
    return CRFS_REFUSED;
  }
  enum crfs_outcome outcome = CRFS_GONE;
  if (crfs_control_connect(&connection->control, directory, failure) == 0)
    outcome = say_hello(connection, &contact->introduction, deadline_ns, failure);
  else if (failure->error != ENOENT && failure->error != ECONNREFUSED && failure->error != EAGAIN)
    outcome = CRFS_REFUSED;
  if (outcome == CRFS_ANSWERED)
    *result = connection;
  else
    close_connection(connection);
  return outcome;
}

/* Connects again and again, and starts a daemon between: one process at a time, by a lock on the runtime directory. */
static struct crfs_connection *connect_or_start(struct crfs_contact *contact, int directory, uint64_t deadline_ns,
                                                struct crfs_failure *failure) {
  const struct timespec pause = {.tv_nsec = RETRY_NS};
  uint64_t limit = crfs_now_ns() + contact->timeout_ns;
  if (limit > deadline_ns)
    limit = deadline_ns;
  struct crfs_connection *connection = NULL;
  for (;;) {
    enum crfs_outcome outcome = connect_once(contact, &connection, directory, deadline_ns, failure);
    if (outcome != CRFS_GONE)
      return connection;
    if (crfs_now_ns() >= limit)
      return NULL;
    if (failure->error != EAGAIN && failure->error != ECONNRESET && flock(directory, LOCK_EX | LOCK_NB) == 0) {
      /* somebody may have started one since we looked */
      outcome = connect_once(contact, &connection, directory, deadline_ns, failure);
      enum crfs_start start =
          outcome == CRFS_GONE ? crfs_daemon_start(&contact->command, limit, failure) : CRFS_STARTED;
      flock(directory, LOCK_UN);
      if (outcome != CRFS_GONE)
        return connection;
      if (start == CRFS_NOT_STARTED) {
        struct crfs_failure ignored;
        connect_once(contact, &connection, directory, deadline_ns, &ignored);
        return connection;
      }
      if (start == CRFS_STARTED)
        continue;
    }
    nanosleep(&pause, NULL);
  }
}

struct crfs_connection *crfs_connection_open(struct crfs_contact *contact, uint64_t deadline_ns,
                                             struct crfs_failure *failure) {
  int directory = crfs_runtime_open(failure);
  if (directory < 0)
    return NULL;
  struct crfs_connection *connection = connect_or_start(contact, directory, deadline_ns, failure);
  close(directory);
  return connection;
}

static int nobody_listens(int directory) {
  struct crfs_control control;
  struct crfs_failure failure;
  if (crfs_control_connect(&control, directory, &failure) < 0)
    return failure.error == ENOENT || failure.error == ECONNREFUSED;
  close(control.socket);
  return 0;
}

void crfs_connection_prepare(struct crfs_command *command, uint64_t timeout_ns) {
  struct crfs_failure ignored;
  int directory = crfs_runtime_open(&ignored);
  if (directory < 0)
    return;
  if (nobody_listens(directory) && flock(directory, LOCK_EX | LOCK_NB) == 0 && nobody_listens(directory))
    crfs_daemon_start(command, crfs_now_ns() + timeout_ns / 2, &ignored);
  close(directory);
}
