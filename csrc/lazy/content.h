/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The bytes of a file as far as they are there: its object, or the draft that becomes it. */

#ifndef CRFS_LAZY_CONTENT_H
#define CRFS_LAZY_CONTENT_H

#include "client/connection.h"
#include "shared/index.h"

/* Those that use it hold it. */
struct crfs_content {
  int fd;
  int whole; /* all chunks are there */
  uint32_t users;
};

/* Chunks of a file, counted from its first: from `first` up to, but not including, `end`. */
struct crfs_range {
  uint32_t first, end;
};

/* Opens what has the name of the file I now. Returns it, held once, or NULL and errno: ENOENT where nothing has. */
struct crfs_content *crfs_content_open(const struct crfs_connection *connection, const struct crfs_inode *i);
void crfs_content_hold(struct crfs_content *content);
void crfs_content_release(struct crfs_content *content);

/* Looks which chunks of WANTED are absent: *WANTED becomes the range from the first of them to the last, or an empty
 * one. Returns 0, or an errno: EIO for what is no draft of I. */
int crfs_content_look(struct crfs_content *content, const struct crfs_inode *i, struct crfs_range *wanted);

#endif
