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

/* allow_other: the host may change its user while it serves. */
static int configure(int context, int device, enum crfs_permissions permissions) {
  if (set(context, "fd", "%u", (unsigned)device) < 0 || set(context, "rootmode", "%o", 040000) < 0 ||
      set(context, "user_id", "%u", geteuid()) < 0 || set(context, "group_id", "%u", getegid()) < 0 ||
      crfs_fsconfig_flag(context, "allow_other") < 0 || crfs_fsconfig_flag(context, "ro") < 0)
    return -1;
  if (permissions == CRFS_PERMISSIONS_CHECKED && crfs_fsconfig_flag(context, "default_permissions") < 0)
    return -1;
  return crfs_fsconfig_create(context);
}

int crfs_lazy_mount(int device, enum crfs_permissions permissions) {
  int context = crfs_fsopen("fuse"), root = -1;
  if (context < 0)
    return -1;
  if (configure(context, device, permissions) == 0)
    root = crfs_fsmount(context, CRFS_ATTRIBUTE_READ_ONLY | CRFS_ATTRIBUTE_NO_SUID | CRFS_ATTRIBUTE_NO_DEV);
  int error = errno;
  close(context);
  errno = error;
  return root;
}
