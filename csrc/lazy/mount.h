/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A FUSE mount that is attached nowhere: only who holds a descriptor of it gets in. */

#ifndef CRFS_LAZY_MOUNT_H
#define CRFS_LAZY_MOUNT_H

enum crfs_fuse_kind {
  CRFS_FUSE_FILES,  /* read-only; who has got in may do what the server answers */
  CRFS_FUSE_LAYERS, /* read-only; the kernel checks modes and owners, and only then does it heed sticky directories */
  CRFS_FUSE_STORE,  /* checked like layers, but not read-only, as containers-storage tells by what it tries to write;
                       listed as of the type fuse.crfs */
};

/* Makes a mount that is served through DEVICE, an open /dev/fuse. Needs what whoever mounts a file system has. Returns
 * a descriptor of its root, or -1 and errno: ENOSYS (before Linux 5.2), EPERM, ENODEV (no FUSE). */
int crfs_lazy_mount(int device, enum crfs_fuse_kind kind);

#endif
