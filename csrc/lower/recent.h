/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The files that were read last, kept open: the kernel reads without opening, so nobody says when a file is done with.
 * A limited number, in sets that each forget the one that was read longest ago. Any thread. */

#ifndef CRFS_LOWER_RECENT_H
#define CRFS_LOWER_RECENT_H

#include "lazy/file.h"

#define CRFS_RECENT_SETS 64
#define CRFS_RECENT_WAYS 8

struct crfs_recent_file {
  uint64_t node; /* 0: none */
  struct crfs_file *file;
};

struct crfs_recent {
  struct crfs_channel channel; /* that chunks are asked for by */
  pthread_mutex_t lock;        /* held for moments, around what follows */
  pthread_cond_t read;         /* signalled when `was_read` is set */
  int was_read;                /* whether a file was, since the watch looked last */
  struct crfs_recent_file sets[CRFS_RECENT_SETS]
                              [CRFS_RECENT_WAYS]; /* of a set, the one that was read last comes first */
};

void crfs_recent_begin(struct crfs_recent *recent, struct crfs_channel channel);

/* The file of INODE, which NODE stands for, held until crfs_file_release. Returns NULL without memory. */
struct crfs_file *crfs_recent_hold(struct crfs_recent *recent, uint64_t node, const struct crfs_layer *layer,
                                   uint32_t inode);

/* Has a thread see to it, until the process ends, that no file takes its room on the disk for longer than somebody
 * reads: while files are read, it looks every few seconds whether content was removed from the cache, and lets go of
 * that; once none is, it forgets them all, and sleeps until one is read. */
void crfs_recent_watch(struct crfs_recent *recent);

#endif
