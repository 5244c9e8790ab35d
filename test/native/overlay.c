/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How an overlay is told of its lower directories, by kernels that take them in other ways than the one that runs this:
 * what they refuse is refused here, in front of it.
 *
 * usage: overlay DIRECTORY KERNEL */

#include "native/check.h"
#include "shared/mount-api.h"

#include <fcntl.h>
#include <sys/stat.h>

static int refuses_at_once, refuses_as_a_whole, added;

static int begin(const char *type) {
  added = 0;
  return crfs_fsopen(type);
}

static int set_string(int context, const char *name, const char *value) {
  if (strcmp(name, "lowerdir+") != 0 || !(refuses_at_once || refuses_as_a_whole))
    return crfs_fsconfig_string(context, name, value);
  added = refuses_as_a_whole;
  errno = EINVAL;
  return refuses_at_once ? -1 : 0;
}

static int create(int context) {
  errno = EINVAL;
  return added ? -1 : crfs_fsconfig_create(context);
}

#define crfs_fsopen begin
#define crfs_fsconfig_string set_string
#define crfs_fsconfig_create create
#include "lower/overlay.c"

static void make_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  close(fd);
}

int main(int argc, char **argv) {
  const char *const lower[] = {"1", "0", NULL}, *const none[] = {NULL};
  char *options[] = {NULL}, *wrong[] = {"nonsense", NULL};
  struct crfs_overlay overlay = {.lower = lower, .data = none, .options = options};
  struct crfs_failure failure;
  CHECK(argc == 3 && chdir(argv[1]) == 0);
  CHECK(mkdir("0", 0700) == 0 && mkdir("1", 0700) == 0);
  make_file("0/base");
  make_file("1/top");
  refuses_at_once = strcmp(argv[2], "6.5") == 0;
  refuses_as_a_whole = strcmp(argv[2], "5.12") == 0;
  overlay.trusted = crfs_overlay_has_trusted_attributes();
  int root = crfs_overlay_make(&overlay, &failure);
  CHECK(root >= 0);
  CHECK(faccessat(root, "base", F_OK, 0) == 0 && faccessat(root, "top", F_OK, 0) == 0);
  close(root);
  overlay.options = wrong;
  CHECK(crfs_overlay_make(&overlay, &failure) < 0 && failure.error == EINVAL);
  printf("checks %lu\n", checks);
  return 0;
}
