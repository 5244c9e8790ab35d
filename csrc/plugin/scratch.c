/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/scratch.h"

#include "client/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SKELETON "skeleton"
#define NAME_SIZE 64

static void random_name(char name[NAME_SIZE], const char *kind) {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) < 0)
    number = (uint64_t)getpid();
  snprintf(name, NAME_SIZE, "%s.%016" PRIx64, kind, number);
}

static int open_directory(int at, const char *name) {
  return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int crfs_scratch_file(int tmp) {
  int fd = openat(tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
    return fd;
  char name[NAME_SIZE];
  random_name(name, "file");
  fd = openat(tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0)
    unlinkat(tmp, name, 0);
  return fd;
}

static int set_where_possible(const void *fd, const char *name, const void *value, size_t size) {
  const int failed = fsetxattr(*(const int *)fd, name, value, size, 0) < 0;
  return failed && errno != EPERM && errno != EOPNOTSUPP && errno != EINVAL ? -1 : 0;
}

int crfs_scratch_xattrs(int fd, const struct crfs_layer *layer, uint32_t inode) {
  return crfs_xattr_copy(layer, inode, set_where_possible, &fd);
}

/* In a user namespace not every owner can be shown, and an ordinary user can give nothing away: the file then stays the
 * mount's own, as it would be had the layer been unpacked here. The times come last, since the rest changes them. */
static int apply_attributes(int fd, const struct crfs_layer *layer, uint32_t inode) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const struct timespec mtime = {.tv_sec = i->mtime_sec, .tv_nsec = i->mtime_nsec};
  const struct timespec times[] = {mtime, mtime};
  if (fchown(fd, i->uid, i->gid) < 0 && errno != EPERM && errno != EINVAL)
    return -1;
  if (fchmod(fd, i->mode & 07777) < 0 || crfs_scratch_xattrs(fd, layer, inode) < 0)
    return -1;
  return futimens(fd, times);
}

int crfs_scratch_directory(int tmp, const struct crfs_layer *layer, uint32_t inode) {
  char name[NAME_SIZE];
  random_name(name, "directory");
  if (mkdirat(tmp, name, 0700) < 0)
    return -1;
  int fd = open_directory(tmp, name);
  int result = fd < 0 ? -1 : apply_attributes(fd, layer, inode);
  int error = errno;
  unlinkat(tmp, name, AT_REMOVEDIR);
  if (result == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  errno = error;
  return -1;
}

static int fill_listing(int fd, const struct crfs_layer *layer, uint32_t inode) {
  const struct crfs_index_view *index = &layer->index;
  const struct crfs_inode *i = &index->inodes[inode];
  for (uint32_t n = 0; n < i->count; n++) {
    const struct crfs_dirent *d = &index->dirents[i->first + n];
    char name[CRFS_NAME_LIMIT + 1];
    memcpy(name, index->strings + d->path + d->path_length - d->name_length, d->name_length);
    name[d->name_length] = '\0';
    if (mknodat(fd, name, S_IFREG | 0600, 0) < 0)
      return -1;
  }
  return 0;
}

int crfs_scratch_listing(int tmp, const struct crfs_layer *layer, uint32_t inode) {
  char name[NAME_SIZE], unfinished[NAME_SIZE];
  snprintf(name, sizeof name, "listing.%016" PRIx64, layer->index.header->ino_base | inode);
  int fd = open_directory(tmp, name);
  if (fd >= 0 || errno != ENOENT)
    return fd;
  random_name(unfinished, "unfinished");
  if (mkdirat(tmp, unfinished, 0700) < 0)
    return -1;
  fd = open_directory(tmp, unfinished);
  if (fd >= 0 && fill_listing(fd, layer, inode) == 0) {
    renameat(tmp, unfinished, tmp, name); /* or it serves this once */
    return fd;
  }
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return -1;
}

static int open_skeleton(int tmp) {
  if (mkdirat(tmp, SKELETON, 0700) < 0 && errno != EEXIST)
    return -1;
  return open_directory(tmp, SKELETON);
}

int crfs_skeleton_attach(int tmp, struct ovl_layer *l) {
  int fd = open_skeleton(tmp);
  if (fd < 0)
    return -1;
  if (l->fd < 0) {
    l->fd = fd;
    return 0;
  }
  int result = dup3(fd, l->fd, O_CLOEXEC);
  close(fd);
  return result < 0 ? -1 : 0;
}

int crfs_skeleton_grow(int tmp, const char *path) {
  int skeleton = open_skeleton(tmp), result = skeleton < 0 ? -1 : 0;
  for (const char *slash = strchr(path, '/'); slash != NULL && result == 0; slash = strchr(slash + 1, '/')) {
    char parent[CRFS_PATH_LIMIT + 1];
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    if (mkdirat(skeleton, parent, 0700) < 0 && errno != EEXIST)
      result = -1;
  }
  int error = errno;
  if (skeleton >= 0)
    close(skeleton);
  errno = error;
  return result;
}
