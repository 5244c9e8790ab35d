/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The content of regular files: objects that the daemon publishes. */

#ifndef CRFS_CLIENT_OBJECT_H
#define CRFS_CLIENT_OBJECT_H

#include "client/layer.h"

#define CRFS_OBJECT_NAME 74 /* bytes of a name, its NUL included */
#define CRFS_REPEATS 8 /* of a question that was not answered: a worker died, the daemon, or the cache was emptied */

/* How long an open waits for an object that is not there. */
enum crfs_haste {
  CRFS_OPEN_WHOLE, /* until the daemon has made it */
  CRFS_OPEN_QUICK, /* until it is made, if that needs no network */
  CRFS_OPEN_THERE, /* not at all */
};

/* Opens the content of the regular file INODE for reading: at once if its object is there, else after the daemon has
 * made it, as far as HASTE waits for that. Returns a descriptor, or -1 and errno: EINPROGRESS (not there yet, and HASTE
 * does not wait for it), ETIMEDOUT (nothing of it arrived for the session's timeout), EIO (no daemon can be had, or
 * bytes that do not match their digest), or what the worker met with. Any thread. */
int crfs_object_open(const struct crfs_layer *layer, uint32_t inode, enum crfs_haste haste);

/* The name of an object, and of the draft that it was before: ab/<64 hexadecimal digits>, where ab are the first two of
 * them; and "-named" behind it where these are not the sha256 of the content, so that no content can pass for what is
 * named otherwise. */
void crfs_object_name(char name[CRFS_OBJECT_NAME], const struct crfs_inode *i);

/* Opens what is published in the directory OBJECTS. Returns a descriptor, or -1: ENOENT for an object that is not
 * there, or is not whole. */
int crfs_object_find(int objects, const struct crfs_inode *i);

#endif
