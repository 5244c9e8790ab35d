/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How a FUSE mount comes to be served, and into the hands of whoever is to attach it. */

#ifndef CRFS_LOWER_SERVING_H
#define CRFS_LOWER_SERVING_H

#include "client/report.h"
#include "lazy/mount.h"
#include "lower/server.h"

struct crfs_loop;
struct fuse_session;

/* Opens what requests come from. Returns a descriptor, or -1 with FAILURE. */
int crfs_serving_open(struct crfs_failure *failure);

/* Mounts what FUSE answers for from DEVICE, and has LOOP begin to answer; NULL: there was no memory for it. Returns a
 * descriptor of the mount's root, or -1 with FAILURE. */
int crfs_serving_begin(struct crfs_loop *loop, struct fuse_session *fuse, int device, enum crfs_fuse_kind kind,
                       struct crfs_failure *failure);

/* Hands ROOT over to the other end of SOCKET, closes it, and lets go of what it is attached to here, and of the
 * terminal, as SERVICE has it. Returns 0, or -1: nobody takes it. */
int crfs_serving_hand_over(const struct crfs_service *service, int socket, int root);

#endif
