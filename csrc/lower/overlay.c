/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/overlay.h"

#include "shared/mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define NAME_SIZE 11    /* of a layer, its NUL included */
#define VALUE_LIMIT 255 /* bytes of a value that fsconfig(2) takes */
#define DESCRIPTORS "/proc/self/fd/"

/* Why the kernel refused: what it says of it, or what the errno means. */
static int fail(int context, const char *what, struct crfs_failure *failure) {
  char said[512];
  const int error = errno;
  ssize_t length = read(context, said, sizeof said - 1); /* "e overlay: …" */
  said[length > 0 ? length : 0] = '\0';
  said[strcspn(said, "\n")] = '\0';
  return crfs_fail(failure, error, "%s: %s%s%s", what, strerror(error), length > 2 ? ": " : "",
                   length > 2 ? said + 2 : "");
}

static int set(int context, const char *name, const char *value, struct crfs_failure *failure) {
  if (crfs_fsconfig_string(context, name, value) == 0)
    return 0;
  char what[VALUE_LIMIT + 64];
  snprintf(what, sizeof what, "%s=%s", name, value);
  return fail(context, what, failure);
}

/* The same for a path: by a descriptor, where it is longer than what the kernel takes, has a backslash, which the
 * overlay takes for an escape, or is that of a descriptor. Since Linux 6.13 the list of mounts has its name all the
 * same: by that others know that the directory is in use (src/main/mount/upper.ts). */
static int set_path(int context, const char *name, const char *path, struct crfs_failure *failure) {
  char by_descriptor[32];
  if (strlen(path) <= VALUE_LIMIT && strchr(path, '\\') == NULL && strncmp(path, DESCRIPTORS, strlen(DESCRIPTORS)) != 0)
    return set(context, name, path, failure);
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return crfs_fail(failure, errno, "%s: %s", path, strerror(errno));
  snprintf(by_descriptor, sizeof by_descriptor, DESCRIPTORS "%d", fd);
  int result = crfs_fsconfig_descriptor(context, name, fd);
  if (result < 0)
    result = set(context, name, by_descriptor, failure);
  close(fd);
  return result;
}

/* Lists the lower directories. */
typedef int set_layers(int context, const char *const *lower, struct crfs_failure *failure);

/* One by one, each below those before it: since Linux 6.8. */
static int add_each(int context, const char *const *lower, struct crfs_failure *failure) {
  for (; *lower != NULL; lower++)
    if (set_path(context, "lowerdir+", *lower, failure) < 0)
      return -1;
  return 0;
}

/* All at once, as older kernels take them: by names that fit, which those of layers do. */
static int set_all(int context, const char *const *lower, struct crfs_failure *failure) {
  char all[VALUE_LIMIT + 1] = "";
  size_t length = 0;
  for (const char *const *path = lower; *path != NULL && length < sizeof all; path++)
    length += (size_t)snprintf(all + length, sizeof all - length, "%s%s", path == lower ? "" : ":", *path);
  if (length >= sizeof all)
    return crfs_fail(failure, E2BIG, "so many lower directories need Linux 6.8");
  return set(context, "lowerdir", all, failure);
}

int crfs_overlay_has_trusted_attributes(void) {
  int fd = (int)syscall(SYS_memfd_create, "crfs-overlay", 1);
  int result = fd >= 0 && fsetxattr(fd, "trusted.overlay.crfs", "y", 1, 0) == 0;
  if (fd >= 0)
    close(fd);
  return result;
}

/* What is said of the mount, and not of the file system. */
static const struct {
  const char *name;
  unsigned set, clear;
} attributes[] = {
    {"ro", CRFS_ATTRIBUTE_READ_ONLY, 0},   {"rw", 0, CRFS_ATTRIBUTE_READ_ONLY}, {"nosuid", CRFS_ATTRIBUTE_NO_SUID, 0},
    {"suid", 0, CRFS_ATTRIBUTE_NO_SUID},   {"nodev", CRFS_ATTRIBUTE_NO_DEV, 0}, {"dev", 0, CRFS_ATTRIBUTE_NO_DEV},
    {"noexec", CRFS_ATTRIBUTE_NO_EXEC, 0}, {"exec", 0, CRFS_ATTRIBUTE_NO_EXEC},
};

/* Takes OPTION into MOUNT, if it is one of these. Returns whether it is. */
static int take_attribute(const char *option, unsigned *mount) {
  for (size_t n = 0; n < sizeof attributes / sizeof attributes[0]; n++)
    if (strcmp(option, attributes[n].name) == 0) {
      *mount = (*mount | attributes[n].set) & ~attributes[n].clear;
      return 1;
    }
  return 0;
}

static int set_option(int context, char *option, struct crfs_failure *failure) {
  char *value = strchr(option, '=');
  if (value == NULL)
    return crfs_fsconfig_flag(context, option) == 0 ? 0 : fail(context, option, failure);
  *value = '\0';
  int result = set(context, option, value + 1, failure);
  *value = '=';
  return result;
}

/* What a kernel may have been told to do by itself, and fuse-overlayfs could not read in the upper directory:
 * directories that say where they were moved from, files without their content. Options of the user come after these.
 */
static int set_defaults(int context, const struct crfs_overlay *overlay, struct crfs_failure *failure) {
  const char *const defaults[][2] = {{"redirect_dir", overlay->trusted ? "follow" : "nofollow"},
                                     {"metacopy", "off"},
                                     {"index", "off"},
                                     {"xino", "off"}};
  for (size_t n = 0; n < sizeof defaults / sizeof defaults[0]; n++)
    if (set(context, defaults[n][0], defaults[n][1], failure) < 0)
      return -1;
  if (!overlay->trusted && crfs_fsconfig_flag(context, "userxattr") < 0)
    return fail(context, "userxattr", failure);
  return 0;
}

static int configure(int context, const struct crfs_overlay *overlay, set_layers *layers, unsigned *mount,
                     struct crfs_failure *failure) {
  if (set(context, "source", "crfs", failure) < 0 || layers(context, overlay->lower, failure) < 0)
    return -1;
  for (const char *const *data = overlay->data; *data != NULL; data++)
    if (set_path(context, "datadir+", *data, failure) < 0) /* since Linux 6.11 */
      return -1;
  if (overlay->upper != NULL && (set_path(context, "upperdir", overlay->upper, failure) < 0 ||
                                 set_path(context, "workdir", overlay->work, failure) < 0))
    return -1;
  if (set_defaults(context, overlay, failure) < 0)
    return -1;
  for (char **option = overlay->options; *option != NULL; option++)
    if (!take_attribute(*option, mount) && set_option(context, *option, failure) < 0)
      return -1;
  return crfs_fsconfig_create(context) == 0 ? 0 : fail(context, "what it was told", failure);
}

static int make(const struct crfs_overlay *overlay, set_layers *layers, struct crfs_failure *failure) {
  unsigned mount = overlay->upper == NULL ? CRFS_ATTRIBUTE_READ_ONLY : 0;
  int context = crfs_fsopen("overlay"), root = -1;
  if (context < 0)
    return crfs_fail(failure, errno, "fsopen: %s", strerror(errno));
  if (configure(context, overlay, layers, &mount, failure) == 0 && (root = crfs_fsmount(context, mount)) < 0)
    fail(context, "fsmount", failure);
  close(context);
  return root;
}

/* Before Linux 6.5, names of options are looked at only once all were told: that they are added one by one is then
 * refused as a whole. */
int crfs_overlay_make(const struct crfs_overlay *overlay, struct crfs_failure *failure) {
  struct crfs_failure also;
  int root = make(overlay, add_each, failure);
  if (root < 0 && failure->error == EINVAL && overlay->data[0] == NULL)
    root = make(overlay, set_all, &also);
  return root;
}
