/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/object.h"

#include "client/ask.h"
#include "client/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define REPEATS 5 /* of a question that was not answered: a worker died, or the daemon */

/* objects/ab/<64 hexadecimal digits>, where ab are the first two of them; and "-named" behind it, where these are not
 * the sha256 of the content: so that no content can pass for what is named otherwise. */
static void object_name(char name[74], const struct crfs_inode *i) {
  static const char digits[] = "0123456789abcdef";
  const uint8_t *key = i->u.key;
  char *out = name;
  for (int n = -1; n < 32; n++) {
    uint8_t byte = key[n < 0 ? 0 : n];
    *out++ = digits[byte >> 4];
    *out++ = digits[byte & 15];
    if (n < 0)
      *out++ = '/';
  }
  strcpy(out, i->flags & CRFS_INODE_DIGEST ? "" : "-named");
}

/* Returns a descriptor, or -1: ENOENT for an object that is not there, or is not whole. */
static int open_published(int objects, const struct crfs_inode *i) {
  char name[74];
  struct stat st;
  object_name(name, i);
  int fd = openat(objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == i->size))
    return fd;
  close(fd);
  errno = ENOENT;
  return -1;
}

/* No object is kept for the empty content. Sealed, since its descriptor could be written to. */
static int open_empty(void) {
  int fd = memfd_create("crfs-empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0)
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

static void count(uint64_t *counter, uint64_t by) {
  __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static void note(struct crfs_connection *connection, uint32_t number, uint32_t inode, int error, uint64_t waited_ns) {
  if (!crfs_trace_is_on(&connection->ring->trace))
    return;
  const struct crfs_opening opening = {
      .layer = number, .inode = inode, .error = (uint32_t)error, .at_ns = crfs_now_ns(), .waited_ns = waited_ns};
  crfs_trace_note(&connection->ring->trace, &opening);
}

/* Asks on CONNECTION, and opens what was published. Returns a descriptor, or -1 and errno: EAGAIN if asking once more
 * may help. A daemon that ended is replaced. */
static int ask_once(struct crfs_connection *connection, const struct crfs_layer *layer, uint32_t number, uint32_t inode,
                    uint64_t deadline_ns) {
  struct crfs_session *session = layer->source->session;
  const struct crfs_inode *i = &layer->index.inodes[inode];
  struct crfs_failure failure;
  int error = crfs_ask(connection, number, inode, i->count, deadline_ns, session->contact.timeout_ns);
  if (error == 0) {
    int fd = open_published(connection->objects, i);
    if (fd >= 0 || errno != ENOENT)
      return fd;
    error = EAGAIN;
  } else if (error == CRFS_ASK_GONE) {
    error = EAGAIN;
    if (crfs_session_renew(session, connection, deadline_ns, &failure) < 0) {
      crfs_report(layer->source->asked, &failure);
      error = EIO;
    }
  }
  errno = error;
  return -1;
}

/* Asks until there is an answer, and counts what came of it. */
static int ask_and_open(const struct crfs_layer *layer, uint32_t inode) {
  uint64_t start = crfs_now_ns(), deadline = start + layer->source->session->contact.timeout_ns;
  for (int repeat = 0;; repeat++) {
    uint32_t number;
    struct crfs_connection *connection = crfs_session_acquire(layer, &number);
    int fd = ask_once(connection, layer, number, inode, deadline);
    int error = errno, again = fd < 0 && error == EAGAIN && repeat < REPEATS;
    if (!again) {
      uint64_t waited = crfs_now_ns() - start;
      count(&connection->ring->misses, 1);
      count(&connection->ring->waited_ns, waited);
      count(&connection->ring->errors, fd < 0);
      note(connection, number, inode, fd < 0 ? error : 0, waited);
    }
    crfs_connection_release(connection);
    if (again)
      continue;
    errno = error == EAGAIN ? EIO : error;
    return fd;
  }
}

int crfs_object_open(const struct crfs_layer *layer, uint32_t inode) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  uint32_t number;
  if (i->size == 0)
    return open_empty();
  struct crfs_connection *connection = crfs_session_acquire(layer, &number);
  int fd = open_published(connection->objects, i), error = errno;
  if (fd >= 0) {
    count(&connection->ring->hits, 1);
    count(&connection->ring->hit_bytes, i->size);
    note(connection, number, inode, 0, 0);
  }
  crfs_connection_release(connection);
  if (fd >= 0 || error != ENOENT) {
    errno = error;
    return fd;
  }
  return ask_and_open(layer, inode);
}
