/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/server.h"

#include "client/loan.h"
#include "lazy/file.h"
#include "lazy/loop.h"
#include "lazy/mount.h"
#include "lazy/operations.h"
#include "lazy/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct crfs_server {
  struct crfs_session *session;
  struct crfs_loan loan; /* of its connection */
  struct crfs_files files;
  struct fuse_session *fuse;
  int device;  /* in the table of the server's threads, */
  int theirs;  /* as is their end of a pair of sockets, by which they borrow, */
  int ours;    /* and whose other end, of who started the server, is shut down at its end */
  sem_t begun; /* posted once `error` tells what came of the start */
  int error;
  pthread_t lender;     /* in the table of who started the server; the others are in theirs */
  pthread_t supervisor; /* makes the threads, and ends them */
  struct crfs_loop loop;
};

static void tear_down(struct crfs_server *server) {
  if (server->fuse != NULL)
    fuse_session_destroy(server->fuse);
  crfs_files_end(&server->files);
  crfs_loan_end(&server->loan);
}

/* Takes over what the server needs into a table of its own, and starts it. Returns 0, or an errno. */
static int set_up(struct crfs_server *server) {
  if (crfs_table_part(server->device, server->theirs) < 0)
    return errno;
  if (crfs_loan_begin(&server->loan, server->session, server->theirs) < 0)
    return ENOMEM;
  crfs_files_begin(&server->files, crfs_loan_channel(&server->loan));
  server->fuse = crfs_operations_begin(&server->files, server->device);
  int error = ENOMEM;
  if (server->fuse != NULL)
    error = crfs_loop_begin(&server->loop, server->fuse, server->device, server->theirs);
  if (error != 0)
    tear_down(server);
  return error;
}

/* The table of descriptors goes with the last of the threads. */
static void *supervise(void *argument) {
  struct crfs_server *server = argument;
  struct pollfd end = {.fd = server->theirs, .events = POLLRDHUP};
  int error = server->error = set_up(server);
  sem_post(&server->begun);
  if (error != 0)
    return NULL;
  while (poll(&end, 1, -1) < 0)
    ;
  crfs_loop_join(&server->loop);
  tear_down(server);
  return NULL;
}

static void *lend(void *argument) {
  struct crfs_server *server = argument;
  crfs_loan_lend(server->session, server->ours);
  return NULL;
}

static void close_if_open(int fd) {
  if (fd >= 0)
    close(fd);
}

static void dispose(struct crfs_server *server) {
  close_if_open(server->ours);
  sem_destroy(&server->begun);
  free(server);
}

/* Opens the device, mounts, and makes the pair. Returns 0, or an errno: then some may be open. */
static int open_all(struct crfs_server *server, int *mount) {
  int pair[2];
  server->device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (server->device < 0 || (*mount = crfs_lazy_mount(server->device, CRFS_FUSE_FILES)) < 0 ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return errno;
  server->ours = pair[0];
  server->theirs = pair[1];
  return 0;
}

/* Makes the threads, and waits until they have what they need. Returns 0, or an errno: then none is left. */
static int start_threads(struct crfs_server *server) {
  int error = crfs_loop_thread(&server->supervisor, supervise, server);
  if (error != 0)
    return error;
  while (sem_wait(&server->begun) < 0)
    ;
  error = server->error;
  if (error == 0 && (error = crfs_loop_thread(&server->lender, lend, server)) == 0)
    return 0;
  shutdown(server->ours, SHUT_RDWR);
  pthread_join(server->supervisor, NULL);
  return error;
}

struct crfs_server *crfs_server_start(struct crfs_session *session, int *mount) {
  struct crfs_server *server = calloc(1, sizeof *server);
  if (server == NULL)
    return NULL;
  server->session = session;
  server->device = server->ours = server->theirs = *mount = -1;
  sem_init(&server->begun, 0, 0);
  int error = open_all(server, mount);
  if (error == 0)
    error = start_threads(server);
  close_if_open(server->device); /* these have their own */
  close_if_open(server->theirs);
  if (error == 0)
    return server;
  close_if_open(*mount);
  dispose(server);
  errno = error;
  return NULL;
}

void crfs_server_end(struct crfs_server *server) {
  crfs_session_give_up(server->session);
  shutdown(server->ours, SHUT_RDWR);
  pthread_join(server->supervisor, NULL);
  pthread_join(server->lender, NULL);
  dispose(server);
}
