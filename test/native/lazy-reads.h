/* SPDX-License-Identifier: GPL-3.0-or-later */

/* For programs that read from files of the sample before all of them is there, while the fake daemon holds chunks back.
 */

#ifndef CRFS_TEST_LAZY_READS_H
#define CRFS_TEST_LAZY_READS_H

#include "native/check.h"
#include "native/host.h"
#include "native/sample.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FUSE_MAGIC 0x65735546
#define BIG "big"
#define BIG_SIZE 40000
#define THIRD (2 * SAMPLE_CHUNK) /* what the daemon holds up */

static inline int is_lazy(int fd) {
  struct statfs st;
  CHECK(fd >= 0 && fstatfs(fd, &st) == 0);
  return st.f_type == FUSE_MAGIC;
}

static inline int open_lazily(const char *path) {
  int fd = open_to_read(path);
  CHECK(is_lazy(fd) && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  return fd;
}

static inline uint32_t inode_of(const char *path) {
  struct stat st;
  CHECK(ds->statat(&l[0], path, &st, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS) == 0);
  return st.st_ino & 0xffffff;
}

static inline char *in_root(const char *name) {
  static __thread char path[1024];
  snprintf(path, sizeof path, "%s/%s", getenv("FAKE_ROOT"), name);
  return path;
}

static inline void open_gate(void) {
  close(open(in_root("gate"), O_WRONLY | O_CREAT, 0600));
}

/* Until the daemon holds so many requests up. */
static inline void wait_until_held(int count) {
  struct stat st;
  while (stat(in_root("held"), &st) < 0 || st.st_size < count)
    poll(NULL, 0, 1);
}

static inline void check_chunk(int fd, off_t at) {
  unsigned char bytes[SAMPLE_CHUNK];
  ssize_t size = at + (off_t)sizeof bytes > BIG_SIZE ? BIG_SIZE - at : (ssize_t)sizeof bytes;
  CHECK(pread(fd, bytes, sizeof bytes, at) == size);
  for (ssize_t n = 0; n < size; n++)
    CHECK(bytes[n] == sample_byte(inode_of(BIG), (uint64_t)(at + n)));
}

#endif
