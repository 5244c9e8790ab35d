/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The names in a store, as containers-storage makes them: the reference of an image in base64, and the digest of a
 * layer. */

#ifndef CRFS_STORE_NAME_H
#define CRFS_STORE_NAME_H

#include <stddef.h>

#define CRFS_REFERENCE_SIZE 256 /* bytes of a reference, its NUL included: more than the base64 of a name can hold */
#define CRFS_DIGEST_SIZE 72     /* of `sha256:` and 64 digits, and its NUL */

/* Decodes NAME, of the standard alphabet with padding, into REFERENCE. Returns 0, or -1: it is the base64 of nothing
 * that could be a reference. */
int crfs_name_decode(const char *name, char reference[CRFS_REFERENCE_SIZE]);

/* Whether NAME is `sha256:` and 64 lower-case hex digits. */
int crfs_name_is_digest(const char *name);

#endif
