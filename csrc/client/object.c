/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/object.h"

#include "client/ask.h"
#include "client/session.h"
#include "client/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void crfs_object_name(char name[CRFS_OBJECT_NAME], const struct crfs_inode *i) {
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

int crfs_object_find(int objects, const struct crfs_inode *i) {
  char name[CRFS_OBJECT_NAME];
  struct stat st;
  crfs_object_name(name, i);
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

/* Asks on CONNECTION, and opens what was published. Returns a descriptor, or -1 and errno: EAGAIN if asking once more
 * may help. A daemon that ended is replaced. */
static int ask_once(struct crfs_connection *connection, const struct crfs_layer *layer,
                    const struct crfs_wanted *wanted, uint64_t *deadline_ns) {
  struct crfs_session *session = layer->source->session;
  struct crfs_failure failure;
  int error = crfs_ask(connection, wanted, session->contact.timeout_ns, deadline_ns);
  if (error == 0) {
    int fd = crfs_object_find(connection->objects, &layer->index.inodes[wanted->inode]);
    if (fd >= 0 || errno != ENOENT)
      return fd;
    error = EAGAIN;
  } else if (error == CRFS_ASK_GONE) {
    error = EAGAIN;
    if (crfs_session_renew(session, connection, *deadline_ns, &failure) < 0) {
      crfs_report(layer->source->asked, &failure);
      error = EIO;
    }
  }
  errno = error;
  return -1;
}

/* Asks until there is an answer, and counts what came of it. */
static int ask_and_open(const struct crfs_layer *layer, uint32_t inode, uint32_t flags) {
  uint64_t start = crfs_now_ns(), deadline = start + layer->source->session->contact.timeout_ns;
  for (int repeat = 0;; repeat++) {
    struct crfs_wanted wanted = {.inode = inode, .count = layer->index.inodes[inode].count, .flags = flags};
    struct crfs_connection *connection = crfs_session_acquire(layer, &wanted.number);
    int fd = ask_once(connection, layer, &wanted, &deadline);
    int error = errno, again = fd < 0 && error == EAGAIN && repeat < CRFS_REPEATS;
    if (!again && (fd >= 0 || error != EINPROGRESS)) { /* else it is a lazy open, and counted as that */
      uint64_t waited = crfs_now_ns() - start;
      crfs_tally(&connection->ring->misses, 1);
      crfs_tally(&connection->ring->waited_ns, waited);
      crfs_tally(&connection->ring->errors, fd < 0);
      crfs_tally_note(connection, wanted.number, inode, fd < 0 ? error : 0, waited);
    }
    crfs_connection_release(connection);
    if (again)
      continue;
    errno = error == EAGAIN ? EIO : error;
    return fd;
  }
}

int crfs_object_open(const struct crfs_layer *layer, uint32_t inode, enum crfs_haste haste) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  uint32_t number;
  if (i->size == 0)
    return open_empty();
  struct crfs_connection *connection = crfs_session_acquire(layer, &number);
  int fd = crfs_object_find(connection->objects, i), error = errno;
  if (fd >= 0) {
    crfs_tally(&connection->ring->hits, 1);
    crfs_tally(&connection->ring->hit_bytes, i->size);
    crfs_tally_note(connection, number, inode, 0, 0);
  }
  crfs_connection_release(connection);
  if (fd < 0 && error == ENOENT && haste != CRFS_OPEN_THERE)
    return ask_and_open(layer, inode, haste == CRFS_OPEN_QUICK ? CRFS_REQUEST_QUICK : 0);
  errno = error == ENOENT ? EINPROGRESS : error;
  return fd;
}
