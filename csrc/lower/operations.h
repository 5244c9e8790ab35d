/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the kernel asks of the file system that the layers of a mount are shown by: node.h. */

#ifndef CRFS_LOWER_OPERATIONS_H
#define CRFS_LOWER_OPERATIONS_H

#include "lazy/buffers.h"
#include "lower/node.h"
#include "lower/overlay.h"
#include "lower/recent.h"
#include "lower/repeats.h"
#include "lower/stubs.h"
#include "lower/tree.h"

#include <semaphore.h>

struct fuse_lowlevel_ops;
struct fuse_session;

struct crfs_lower {
  struct crfs_tree tree;
  struct crfs_contents contents;
  struct crfs_recent recent;
  struct crfs_repeats repeats;
  struct crfs_buffers buffers;
  struct crfs_stubs stubs;
  struct fuse_session *fuse; /* that answers */
  int wants_stubs;           /* they are missing, and of use to this kernel */
  int uses_stubs;            /* the mount is made of them */
  uint32_t requests;         /* of the kernel, so far: to tell whether somebody waits */
  sem_t gone;                /* posted when the mount has gone */
  int has_attributes;        /* some directory or file has extended attributes that matter */
  int has_acls;              /* POSIX access control lists among them */
};

/* Prepares LOWER, whose tree is loaded, and returns what answers requests from DEVICE, or NULL. */
struct fuse_session *crfs_lower_begin(struct crfs_lower *lower, int device);

/* The answers to all that is asked of layers. */
extern const struct fuse_lowlevel_ops crfs_lower_operations;

/* The same as crfs_lower_begin by OPERATIONS, which know of more than layers, and get a structure that begins with
 * LOWER. */
struct fuse_session *crfs_lower_begin_with(struct crfs_lower *lower, const struct fuse_lowlevel_ops *operations,
                                           int device);

#endif
