/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/fake-daemon.h"
#include "native/sample.h"
#include "shared/draft.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The draft, or a new one: which has its name only once it has its length. */
static int open_draft(int objects, int drafts, const char *name, const struct crfs_inode *i) {
  char directory[] = {name[0], name[1], '\0'};
  int fd = openat(drafts, name, O_RDWR | O_CLOEXEC);
  if (fd >= 0)
    return fd;
  mkdirat(drafts, directory, 0700);
  mkdirat(objects, directory, 0700);
  fd = openat(drafts, "new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  need(ftruncate(fd, (off_t)(crfs_draft_map(i->size) + i->count)) == 0, "length of a draft");
  need(renameat(drafts, "new", drafts, name) == 0, "name of a draft");
  return fd;
}

static void write_chunk(int fd, const struct crfs_inode *i, const struct crfs_chunk *c, uint32_t number) {
  const uint8_t there = CRFS_CHUNK_THERE;
  unsigned char *bytes = malloc(c->size);
  for (uint64_t at = 0; at < c->size; at++)
    bytes[at] = sample_byte(c->inode, c->file_offset + at);
  need(pwrite(fd, bytes, c->size, (off_t)c->file_offset) == (ssize_t)c->size, "chunk");
  need(pwrite(fd, &there, 1, (off_t)(crfs_draft_map(i->size) + number)) == 1, "map");
  free(bytes);
}

static int is_whole(int fd, const struct crfs_inode *i) {
  uint8_t there;
  for (uint32_t n = 0; n < i->count; n++)
    if (pread(fd, &there, 1, (off_t)(crfs_draft_map(i->size) + n)) != 1 || there != CRFS_CHUNK_THERE)
      return 0;
  return 1;
}

/* Whether the object is there, and whole. */
static int is_published(int objects, const char *name, const struct crfs_inode *i) {
  struct stat st;
  return fstatat(objects, name, &st, 0) == 0 && (uint64_t)st.st_size == i->size;
}

void fill(uint32_t inode, uint32_t first, uint32_t count) {
  const char *index = (const char *)fake.sample;
  const struct crfs_inode *i = (const struct crfs_inode *)(index + fake.sample->inodes.offset) + inode;
  const struct crfs_chunk *c = (const struct crfs_chunk *)(index + fake.sample->chunks.offset) + i->first;
  int objects = openat(fake.root, "objects", O_RDONLY | O_DIRECTORY);
  int drafts = openat(fake.root, "drafts", O_RDONLY | O_DIRECTORY);
  char name[68];
  need(count > 0 && first < i->count && count <= i->count - first, "a range of chunks");
  sample_object_name(name, i->u.key);
  if (!is_published(objects, name, i)) {
    int fd = open_draft(objects, drafts, name, i);
    for (uint32_t n = first; n < first + count; n++)
      write_chunk(fd, i, &c[n], n);
    if (is_whole(fd, i))
      need(ftruncate(fd, (off_t)i->size) == 0 && renameat(drafts, name, objects, name) == 0, "object");
    close(fd);
  }
  close(objects);
  close(drafts);
}
