/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/below.h"

#include "shared/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPENAT2 437 /* of Linux 5.6: by number, as older C libraries and headers do not know it. openat2(2) */
#define NO_OTHER_MOUNT 0x1u
#define NO_SYMLINKS 0x4u
#define BENEATH 0x8u

/* Looks for PATH in DIRECTORY, as an overlay does: it follows no symlink, and sees no other mount. Returns 0, or an
 * errno. */
static int look(const char *directory, const char *path) {
  const struct {
    uint64_t flags, mode, resolve;
  } how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = NO_OTHER_MOUNT | NO_SYMLINKS | BENEATH};
  int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0)
    return errno;
  int fd = (int)syscall(OPENAT2, at, path, &how, sizeof how), error = fd < 0 ? errno : 0;
  close(at);
  if (fd >= 0)
    close(fd);
  return error;
}

int crfs_below_has(const char *const *below, const char *path, size_t length) {
  char wanted[CRFS_PATH_LIMIT + 1];
  memcpy(wanted, path, length);
  wanted[length] = '\0';
  for (; *below != NULL; below++) {
    int error = look(*below, wanted);
    if (error == ENOTDIR || error == ELOOP) /* something hides all below this directory */
      return 0;
    if (error != ENOENT)
      return 1;
  }
  return 0;
}
