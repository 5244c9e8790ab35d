/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/mount.h"

#include "shared/mount-api.h"

#include <errno.h>
#include <stdio.h>

static int set(int context, const char *name, const char *format, unsigned value) {
  char text[16];
  snprintf(text, sizeof text, format, value);
  return crfs_fsconfig_string(context, name, text);
}

static int name_it(int context) {
  return crfs_fsconfig_string(context, "source", "crfs") < 0 ? -1 : crfs_fsconfig_string(context, "subtype", "crfs");
}

/* allow_other: the host may change its user while it serves. */
static int configure(int context, int device, enum crfs_fuse_kind kind) {
  if (set(context, "fd", "%u", (unsigned)device) < 0 || set(context, "rootmode", "%o", 040000) < 0 ||
      set(context, "user_id", "%u", geteuid()) < 0 || set(context, "group_id", "%u", getegid()) < 0 ||
      crfs_fsconfig_flag(context, "allow_other") < 0)
    return -1;
  if ((kind == CRFS_FUSE_STORE ? name_it(context) : crfs_fsconfig_flag(context, "ro")) < 0)
    return -1;
  if (kind != CRFS_FUSE_FILES && crfs_fsconfig_flag(context, "default_permissions") < 0)
    return -1;
  return crfs_fsconfig_create(context);
}

int crfs_lazy_mount(int device, enum crfs_fuse_kind kind) {
  unsigned attributes = CRFS_ATTRIBUTE_NO_SUID | CRFS_ATTRIBUTE_NO_DEV;
  int context = crfs_fsopen("fuse"), root = -1;
  if (context < 0)
    return -1;
  if (kind != CRFS_FUSE_STORE)
    attributes |= CRFS_ATTRIBUTE_READ_ONLY;
  if (configure(context, device, kind) == 0)
    root = crfs_fsmount(context, attributes);
  int error = errno;
  close(context);
  errno = error;
  return root;
}
