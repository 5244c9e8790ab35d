/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/copyup.h"

#include "client/object.h"
#include "client/session.h"
#include "plugin/scratch.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int close_failed(int fd) {
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int write_all(int to, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(to, bytes, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return -1;
    bytes += written;
    size -= (size_t)written;
  }
  return 0;
}

/* By sharing the blocks, else within the kernel, else by hand: from where the one before stopped. */
static int copy_content(int from, int to) {
  char buffer[16384];
  ssize_t got;
  if (ioctl(to, FICLONE, from) == 0)
    return 0;
  while ((got = copy_file_range(from, NULL, to, NULL, 1 << 30, 0)) > 0)
    ;
  while ((got = read(from, buffer, sizeof buffer)) != 0) {
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 || write_all(to, buffer, (size_t)got) < 0)
      return -1;
  }
  return lseek(to, 0, SEEK_SET) < 0 ? -1 : 0;
}

int crfs_copyup_file(const struct crfs_layer *layer, uint32_t inode) {
  uint32_t number;
  int object = crfs_object_open(layer, inode, CRFS_OPEN_WHOLE);
  if (object < 0 || layer->index.inodes[inode].xattr_count == 0)
    return object;
  struct crfs_connection *connection = crfs_session_acquire_live(layer, &number);
  if (connection == NULL)
    return close_failed(object);
  int copy = crfs_scratch_file(connection->tmp);
  if (copy >= 0 && (copy_content(object, copy) < 0 || crfs_scratch_xattrs(copy, layer, inode) < 0))
    copy = close_failed(copy);
  int error = errno;
  crfs_connection_release(connection);
  close(object);
  errno = error;
  return copy;
}

/* Also makes the skeleton hold the directory's parents, which the host is about to open. */
int crfs_copyup_directory(const struct crfs_layer *layer, uint32_t inode, const char *path) {
  uint32_t number;
  struct crfs_connection *connection = crfs_session_acquire_live(layer, &number);
  if (connection == NULL)
    return -1;
  int fd = crfs_skeleton_grow(connection->tmp, path);
  if (fd == 0)
    fd = crfs_scratch_directory(connection->tmp, layer, inode);
  int error = errno;
  crfs_connection_release(connection);
  errno = error;
  return fd;
}

int crfs_copyup_listing(const struct crfs_layer *layer, uint32_t inode) {
  uint32_t number;
  struct crfs_connection *connection = crfs_session_acquire_live(layer, &number);
  if (connection == NULL)
    return -1;
  int fd = crfs_scratch_listing(connection->tmp, layer, inode);
  int error = errno;
  crfs_connection_release(connection);
  errno = error;
  return fd;
}
