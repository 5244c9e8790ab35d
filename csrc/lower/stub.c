/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/stub.h"

#include "client/attributes.h"
#include "client/object.h"
#include "lower/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* By its path, as no system call sets attributes of a symlink by a descriptor. */
static int set_attribute(const char *path, const char *name, const void *value, size_t size) {
  return lsetxattr(path, name, value, size, 0);
}

static int set_content(const void *path, const char *name, const void *value, size_t size) {
  return crfs_tree_is_private(name) ? 0 : set_attribute(path, name, value, size);
}

static int set_own(const char *path, const char *class, const char *what, const char *value) {
  char name[64];
  snprintf(name, sizeof name, "%s.overlay.%s", class, what);
  return set_attribute(path, name, value, strlen(value));
}

/* What tells the overlay where the content is. */
static int redirect(const char *path, const struct crfs_inode *i, const char *class) {
  char to[1 + CRFS_OBJECT_NAME] = "/";
  crfs_object_name(to + 1, i);
  return set_own(path, class, "metacopy", "") == 0 ? set_own(path, class, "redirect", to) : -1;
}

/* Owner, mode, attributes and times, in this order: each would change those before it. A time that the file system does
 * not keep as it is is an error. */
static int dress(int at, const char *name, const struct crfs_layer *layer, uint32_t inode, const char *class) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const struct timespec mtime = {.tv_sec = i->mtime_sec, .tv_nsec = i->mtime_nsec}, times[] = {mtime, mtime};
  char path[sizeof "/proc/self/fd/" + 10 + 1 + CRFS_NAME_LIMIT];
  struct stat st;
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", at, name);
  if (fchownat(at, name, i->uid, i->gid, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (!S_ISLNK(i->mode) && fchmodat(at, name, i->mode & 07777, 0) < 0)
    return -1;
  if (crfs_xattr_copy(layer, inode, set_content, path) < 0)
    return -1;
  if (S_ISREG(i->mode) && i->size > 0 && redirect(path, i, class) < 0)
    return -1;
  if (utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (st.st_mtim.tv_sec == mtime.tv_sec && st.st_mtim.tv_nsec == mtime.tv_nsec)
    return 0;
  errno = ERANGE;
  return -1;
}

static int make_file(int at, const char *name, const struct crfs_inode *i) {
  int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  int result = ftruncate(fd, (off_t)i->size);
  close(fd);
  return result;
}

static int make_link(int at, const char *name, const struct crfs_layer *layer, uint32_t inode) {
  char target[CRFS_PATH_LIMIT + 1];
  ssize_t length = crfs_link_target(layer, inode, target, CRFS_PATH_LIMIT);
  if (length < 0)
    return -1;
  target[length] = '\0';
  return symlinkat(target, at, name);
}

int crfs_stub_make(int at, const char *name, const struct crfs_layer *layer, uint32_t inode, const char *class) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  struct stat st;
  int result;
  if (S_ISREG(i->mode)) {
    result = make_file(at, name, i);
  } else if (S_ISLNK(i->mode)) {
    result = make_link(at, name, layer, inode);
  } else {
    crfs_attributes(layer, inode, &st);
    result = mknodat(at, name, (i->mode & S_IFMT) | 0600, st.st_rdev);
  }
  return result == 0 ? dress(at, name, layer, inode, class) : -1;
}

int crfs_stub_finish(int fd, const struct crfs_layer *layer, uint32_t inode, const char *class) {
  return dress(fd, ".", layer, inode, class);
}
