/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Reading directories. */

#ifndef CRFS_PLUGIN_DIRECTORY_H
#define CRFS_PLUGIN_DIRECTORY_H

#include "plugin/host.h"

void *crfs_opendir(struct ovl_layer *l, const char *path);
struct dirent *crfs_readdir(void *dirp);
int crfs_closedir(void *dirp);

#endif
