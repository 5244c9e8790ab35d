/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A FUSE mount that is attached nowhere: only who holds a descriptor of it gets in. */

#ifndef CRFS_LAZY_MOUNT_H
#define CRFS_LAZY_MOUNT_H

enum crfs_permissions {
  CRFS_PERMISSIONS_UNASKED, /* who has got in may do what the server answers */
  CRFS_PERMISSIONS_CHECKED, /* by the kernel, by modes and owners; and only then does it heed sticky directories */
};

/* Makes a mount that is served through DEVICE, an open /dev/fuse. Needs what whoever mounts a file system has. Returns
 * a descriptor of its root, or -1 and errno: ENOSYS (before Linux 5.2), EPERM, ENODEV (no FUSE). */
int crfs_lazy_mount(int device, enum crfs_permissions permissions);

#endif
