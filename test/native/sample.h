/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A small layer that holds one of everything, as an index: made by hand, so that the tests of the reader need no
 * writer. */

#ifndef CRFS_TEST_SAMPLE_H
#define CRFS_TEST_SAMPLE_H

#include "shared/index.h"

#include <sys/types.h>

#define SAMPLE_SIZE (1 << 17) /* no index of the sample is larger */
#define SAMPLE_CHUNK 4096u    /* bytes in each chunk but a file's last */
#define SAMPLE_MTIME 1234567890
#define SAMPLE_NSEC 123456789

struct sample_file {
  const char *path; /* "" is the root; parents stand before what they hold */
  mode_t mode;
  uint64_t size;      /* of regular files */
  const char *target; /* of symlinks; of hardlinks the path, with mode 0 */
  uid_t owner;
  uint32_t xattrs; /* how many: sample_xattr_name tells which */
  uint32_t major, minor;
};

extern const struct sample_file sample_files[];
extern const size_t sample_count;

/* Names and values of the xattrs: the first is text, the second holds a NUL. */
extern const char *const sample_xattr_name[2];
extern const char sample_xattr_value[2][8]; /* all 8 bytes count */

/* Writes the index to OUT, of SAMPLE_SIZE bytes, aligned to 8; returns its length. */
size_t sample_index(void *out);

/* Byte AT of the content of INODE, and the name of its object. */
unsigned char sample_byte(uint32_t inode, uint64_t at);
void sample_object_name(char name[68], const uint8_t key[32]);

/* A path of two names of 255 bytes each in the sample, and the first of them. */
const char *sample_long_path(void);
const char *sample_long_name(void);

#endif
