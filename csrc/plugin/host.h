/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The binary interface of fuse-overlayfs 0.7 to 1.x, as far as a plugin touches it: plugin version 1.
 *
 * A plugin exports plugin_version, plugin_name, plugin_load and plugin_release. The host allocates a struct ovl_layer
 * per layer and fills in the table of functions that plugin_load returned. Every function returns -1 (or NULL) and sets
 * errno on failure. All calls for the layers come one at a time (the host holds one lock, also where it is threaded).
 */

#ifndef CRFS_PLUGIN_HOST_H
#define CRFS_PLUGIN_HOST_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct data_source;

/* Newer hosts append members, and older ones lack the last: nothing behind data_source_private_data is ours. */
struct ovl_layer {
  struct ovl_layer *next;
  struct data_source *ds;
  struct ovl_data *ovl_data;
  char *path; /* set by load_data_source: malloc'ed, the host frees it */
  int fd;     /* set by load_data_source: an open directory, the host closes it */
  bool low;
  void *data_source_private_data;
};

struct data_source {
  int (*num_of_layers)(const char *opaque, const char *path);
  int (*load_data_source)(struct ovl_layer *l, const char *opaque, const char *path, int n_layer);
  int (*cleanup)(struct ovl_layer *l);
  int (*file_exists)(struct ovl_layer *l, const char *path);
  int (*statat)(struct ovl_layer *l, const char *path, struct stat *st, int flags, unsigned int mask);
  int (*fstat)(struct ovl_layer *l, int fd, const char *path, unsigned int mask, struct stat *st);
  void *(*opendir)(struct ovl_layer *l, const char *path);
  struct dirent *(*readdir)(void *dirp);
  int (*closedir)(void *dirp);
  int (*openat)(struct ovl_layer *l, const char *path, int flags, mode_t mode);
  int (*listxattr)(struct ovl_layer *l, const char *path, char *buf, size_t size);
  int (*getxattr)(struct ovl_layer *l, const char *path, const char *name, char *buf, size_t size);
  ssize_t (*readlinkat)(struct ovl_layer *l, const char *path, char *buf, size_t size);
  bool (*support_acls)(struct ovl_layer *l); /* since 1.11 */
  void *later[8];                            /* zeros, where later hosts look for members that they appended */
};

#endif
