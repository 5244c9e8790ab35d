/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What all file systems of ours answer alike. */

#ifndef CRFS_LAZY_ANSWER_H
#define CRFS_LAZY_ANSWER_H

#include "lazy/file.h"

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 35
#endif
#include <fuse_lowlevel.h>

/* Returns what answers requests from DEVICE by OPERATIONS, which get USERDATA, for fuse_session_destroy, which closes
 * DEVICE too; or NULL: then DEVICE is the caller's. */
struct fuse_session *crfs_answer_begin(const struct fuse_lowlevel_ops *operations, void *userdata, int device);

/* What every init does. */
void crfs_answer_init(struct fuse_conn_info *connection);

/* Answers a read of SIZE bytes at OFFSET of FILE, once their chunks are there, through one of BUFFERS. Returns 0; or an
 * errno, with which the caller is to answer. */
int crfs_answer_read(fuse_req_t request, struct crfs_file *file, struct crfs_buffers *buffers,
                     const struct crfs_asker *asker, size_t size, off_t offset);

#endif
