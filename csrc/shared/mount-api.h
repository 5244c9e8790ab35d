/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The system calls that make mounts step by step, of Linux 5.2: by number, as older C libraries and headers know none
 * of them. The numbers are the same on every architecture. fsopen(2), fsconfig(2), fsmount(2), move_mount(2). */

#ifndef CRFS_MOUNT_API_H
#define CRFS_MOUNT_API_H

#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CRFS_ATTRIBUTE_READ_ONLY 1u
#define CRFS_ATTRIBUTE_NO_SUID 2u
#define CRFS_ATTRIBUTE_NO_DEV 4u
#define CRFS_ATTRIBUTE_NO_EXEC 8u

/* Begins to configure a file system. Returns a descriptor, closed by exec, or -1 and errno. */
static inline int crfs_fsopen(const char *type) {
  return (int)syscall(430, type, 1);
}

/* NAME=VALUE; the kernel takes values of up to 255 bytes. All of these return 0, or -1 and errno. */
static inline int crfs_fsconfig_string(int context, const char *name, const char *value) {
  return (int)syscall(431, context, 1, name, value, 0);
}

static inline int crfs_fsconfig_flag(int context, const char *name) {
  return (int)syscall(431, context, 0, name, NULL, 0);
}

static inline int crfs_fsconfig_create(int context) {
  return (int)syscall(431, context, 6, NULL, NULL, 0);
}

/* NAME is what the descriptor FD is of, for options of file systems that take that. */
static inline int crfs_fsconfig_descriptor(int context, const char *name, int fd) {
  return (int)syscall(431, context, 5, name, NULL, fd);
}

/* Mounts what was created, nowhere yet, with CRFS_ATTRIBUTE_*. Returns a descriptor of its root, or -1 and errno. */
static inline int crfs_fsmount(int context, unsigned attributes) {
  return (int)syscall(432, context, 1, attributes);
}

/* Attaches what ROOT is the root of to the directory behind AT. */
static inline int crfs_move_mount(int root, int at) {
  return (int)syscall(429, root, "", at, "", 0x4 | 0x40);
}

#endif
