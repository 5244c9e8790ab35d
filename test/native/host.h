/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A host for tests: loads the plugin, which is linked to it, as fuse-overlayfs does, and reads through it. The plugin's
 * lower directory is the sample, by two layers, which the fake daemon serves. */

#ifndef CRFS_TEST_HOST_H
#define CRFS_TEST_HOST_H

#include "plugin/host.h"

#include <stddef.h>

#define LAYERS 2
#define COPY_UP (O_RDONLY | O_NONBLOCK) /* how the host opens what it copies up */

/* What plugin_load returned, and the layers that it filled. */
extern struct data_source *ds;
extern struct ovl_layer l[LAYERS];

/* A part of a test program, which runs in a process of its own. */
struct scenario {
  const char *name;
  void (*run)(void);
};

/* What main does: runs the scenario whose name ARGV[1] is, for the blob that ARGV[2] names, in base64. Returns the exit
 * code. */
int host_run(int argc, char **argv, const struct scenario *scenarios, size_t count);

/* Loads the plugin and its layers. Returns 0, or -1 if the plugin refuses. */
int host_load(void);
void host_unload(void);

/* What a reader gets: a descriptor, or -1 with errno. */
int open_to_read(const char *path);

/* Checks that FD is open at the content of a file of the sample. */
void check_content(int fd, const char *path);

void read_file(const char *path);
void read_all_files(void);

/* How many descriptors are open. */
int descriptors(void);

#endif
