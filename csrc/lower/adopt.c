/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define WHITEOUT ".wh."
#define WHITEOUT_LENGTH 4u
#define OPAQUE ".wh..wh..opq"
#define OPAQUE_HIDDEN ".wh..opq" /* what fuse-overlayfs makes beside that */

/* By which a directory is opaque, in words of the kernel and of fuse-overlayfs. */
static const char *const attributes[] = {"trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"};

/* What else fuse-overlayfs writes down, which a mount by the kernel would show. */
#define ORIGIN "user.fuseoverlayfs.origin"

/* Whether fuse-overlayfs has used WORK: it is marked, or the directory in there is one to enter, which the kernel's own
 * is not. */
static int is_hosts(const char *work) {
  struct stat st;
  int fd = open(work, DIRECTORY), is;
  if (fd < 0)
    return 0;
  is = faccessat(fd, CRFS_WRITTEN_BY_HOST, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
       (fstatat(fd, "work", &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & 0777) != 0);
  close(fd);
  return is;
}

static int is_opaque(int fd) {
  char value;
  for (size_t n = 0; n < sizeof attributes / sizeof attributes[0]; n++)
    if (fgetxattr(fd, attributes[n], &value, 1) == 1 && value == 'y')
      return 1;
  return faccessat(fd, OPAQUE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Removes what is NAME in the directory FD. */
static int drop(int fd, const char *name) {
  return unlinkat(fd, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/* Makes a whiteout as the kernel has it of `.wh.NAME`. */
static int convert(int fd, const char *name) {
  if (drop(fd, name) < 0)
    return -1;
  return mknodat(fd, name + WHITEOUT_LENGTH, S_IFCHR, 0) == 0 || errno == EEXIST ? 0 : -1;
}

static int is_device_of_whiteouts(int fd, const char *name) {
  struct stat st;
  return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

/* Removes the note that fuse-overlayfs makes of a file that it has copied. */
static int forget_origin(int fd, const char *name) {
  char path[sizeof "/proc/self/fd/" + 10 + 1 + NAME_MAX];
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
  return lremovexattr(path, ORIGIN) == 0 || errno == ENODATA || errno == EOPNOTSUPP ? 0 : -1;
}

/* Has the kernel know a directory as opaque. */
static int set_opaque(int fd, int trusted) {
  if (fsetxattr(fd, attributes[trusted ? 0 : 1], "y", 1, 0) < 0)
    return -1;
  fremovexattr(fd, attributes[2]);
  return 0;
}

static int adopt(int fd, int trusted, int is_covered);

static int adopt_entry(int fd, const struct dirent *entry, int trusted, int is_covered) {
  const char *name = entry->d_name;
  if (entry->d_type == DT_DIR) {
    int below = openat(fd, name, DIRECTORY), result, error;
    if (below < 0)
      return -1;
    result = adopt(below, trusted, is_covered);
    error = errno;
    close(below);
    errno = error;
    return result;
  }
  if (strcmp(name, OPAQUE) == 0 || strcmp(name, OPAQUE_HIDDEN) == 0)
    return drop(fd, name);
  if (strncmp(name, WHITEOUT, WHITEOUT_LENGTH) == 0 && name[WHITEOUT_LENGTH] != '\0')
    return is_covered ? drop(fd, name) : convert(fd, name);
  if (entry->d_type == DT_CHR && is_covered && is_device_of_whiteouts(fd, name))
    return drop(fd, name);
  return entry->d_type == DT_REG ? forget_origin(fd, name) : 0;
}

/* The directory FD, and all below it. IS_COVERED: nothing of the lower layers shows here, as a directory above is
 * opaque: whiteouts hide nothing, and the kernel would list them. */
static int adopt(int fd, int trusted, int is_covered) {
  const int own = is_opaque(fd);
  DIR *directory = fdopendir(openat(fd, ".", DIRECTORY));
  const struct dirent *entry;
  int result = 0, error;
  if (directory == NULL || forget_origin(fd, ".") < 0 || (own && set_opaque(fd, trusted) < 0))
    result = -1;
  while (result == 0 && (errno = 0, entry = readdir(directory)) != NULL)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      result = adopt_entry(fd, entry, trusted, is_covered || own);
  error = errno;
  if (directory != NULL)
    closedir(directory);
  errno = error;
  return result < 0 || error != 0 ? -1 : 0;
}

static int unmark(const char *work) {
  int fd = open(work, DIRECTORY), result;
  if (fd < 0)
    return -1;
  result = drop(fd, CRFS_WRITTEN_BY_HOST);
  close(fd);
  return result;
}

int crfs_adopt(const char *upper, const char *work, int trusted, struct crfs_failure *failure) {
  if (!is_hosts(work))
    return 0;
  int fd = open(upper, DIRECTORY);
  int result = fd < 0 ? -1 : adopt(fd, trusted, 0), error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  if (result == 0 && unmark(work) == 0)
    return 0;
  return crfs_fail(failure, errno, "%s: what fuse-overlayfs has left there cannot be adopted: %s", upper,
                   strerror(errno));
}
