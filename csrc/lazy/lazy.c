/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/lazy.h"

#include "client/object.h"
#include "client/tally.h"
#include "lazy/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define QUICK_SIZE (8u << 20) /* bytes of one chunk that a local file is inflated to while the open waits */

void crfs_lazy_begin(struct crfs_lazy *lazy, struct crfs_session *session) {
  lazy->session = session;
  lazy->server = NULL;
  lazy->mount = -1;
  pthread_mutex_init(&lazy->lock, NULL);
}

void crfs_lazy_end(struct crfs_lazy *lazy) {
  if (lazy->server != NULL) {
    crfs_server_end(lazy->server);
    close(lazy->mount);
  }
  lazy->server = NULL;
}

/* The mount, made at the first call that can make it. Returns its descriptor, or -1 and errno. */
static int mount_of(struct crfs_lazy *lazy) {
  pthread_mutex_lock(&lazy->lock);
  if (lazy->server == NULL)
    lazy->server = crfs_server_start(lazy->session, &lazy->mount);
  int mount = lazy->server == NULL ? -1 : lazy->mount, error = errno;
  pthread_mutex_unlock(&lazy->lock);
  errno = error;
  return mount;
}

static int open_file(struct crfs_lazy *lazy, const struct crfs_layer *layer, uint32_t inode) {
  char name[CRFS_LAZY_NAME];
  int mount = mount_of(lazy);
  if (mount < 0)
    return -1;
  crfs_lazy_name(name, layer, inode);
  return openat(mount, name, O_RDONLY | O_CLOEXEC | O_DIRECT); /* for splice, too: see open_file of operations.c */
}

static void tell(const struct crfs_layer *layer, int error) {
  uint32_t number;
  struct crfs_connection *connection = crfs_session_acquire(layer, &number);
  struct crfs_ring *ring = connection->ring;
  __atomic_store_n(&ring->lazy_error, (uint32_t)error, __ATOMIC_RELAXED);
  __atomic_store_n(&ring->lazy, error == 0 ? CRFS_LAZY_WORKS : CRFS_LAZY_IMPOSSIBLE, __ATOMIC_RELAXED);
  crfs_tally(&ring->lazy_opens, error == 0);
  crfs_connection_release(connection);
}

/* How long an open of the file waits before it is a lazy one. */
static enum crfs_haste haste_of(const struct crfs_layer *layer, const struct crfs_inode *i) {
  if (i->size == 0 || (i->flags & CRFS_INODE_WHOLE) != 0)
    return CRFS_OPEN_WHOLE;
  if (i->count > 1)
    return CRFS_OPEN_THERE;
  if (layer->source->blob < 0)
    return CRFS_OPEN_QUICK;
  return i->size <= QUICK_SIZE ? CRFS_OPEN_WHOLE : CRFS_OPEN_THERE;
}

int crfs_lazy_open(struct crfs_lazy *lazy, const struct crfs_layer *layer, uint32_t inode) {
  int fd = crfs_object_open(layer, inode, haste_of(layer, &layer->index.inodes[inode]));
  if (fd >= 0 || errno != EINPROGRESS)
    return fd;
  fd = open_file(lazy, layer, inode);
  tell(layer, fd < 0 ? errno : 0);
  return fd >= 0 ? fd : crfs_object_open(layer, inode, CRFS_OPEN_WHOLE);
}
