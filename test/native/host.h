/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A host for tests: loads the plugin, which is linked to it, as fuse-overlayfs does, and reads through it. The plugin's
 * lower directory is the sample, by two layers, which the fake daemon serves. */

#ifndef CRFS_TEST_HOST_H
#define CRFS_TEST_HOST_H

#include "plugin/host.h"

#define LAYERS 2
#define COPY_UP (O_RDONLY | O_NONBLOCK) /* how the host opens what it copies up */

/* What plugin_load returned, and the layers that it filled. */
extern struct data_source *ds;
extern struct ovl_layer l[LAYERS];

/* Begins as a process from which no daemon may inherit anything: other descriptors, a blocked and an ignored signal.
 * OPAQUE, base64, names the blob that is loaded. */
void host_begin(const char *opaque);

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
