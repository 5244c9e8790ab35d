/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One damage for each rule that crfs_index_open checks, and the words that name the rule. */

#include "native/check.h"
#include "native/sample.h"

#include <sys/stat.h>

static _Alignas(8) char whole[SAMPLE_SIZE], damaged[SAMPLE_SIZE];
static size_t size;

#define HEADER ((struct crfs_index *)damaged)
#define TABLE(name, type) ((struct type *)(damaged + HEADER->name.offset))
#define INODES TABLE(inodes, crfs_inode)
#define DIRENTS TABLE(dirents, crfs_dirent)
#define CHUNKS TABLE(chunks, crfs_chunk)

/* The first inode of a type. */
static struct crfs_inode *inode_of(uint32_t type) {
  for (uint64_t i = 1; i < HEADER->inodes.count; i++)
    if ((INODES[i].mode & S_IFMT) == type && (type != S_IFREG || INODES[i].count > 1))
      return &INODES[i];
  abort();
}

#define REFUSED(damage, rule)                                                                                          \
  do {                                                                                                                 \
    struct crfs_index_view view;                                                                                       \
    memcpy(damaged, whole, sizeof whole);                                                                              \
    damage;                                                                                                            \
    const char *wrong = crfs_index_open(&view, damaged, size);                                                         \
    CHECK(wrong != NULL && strcmp(wrong, "index: " rule) == 0);                                                        \
  } while (0)

static void header(void) {
  REFUSED(HEADER->magic++, "wrong magic");
  REFUSED(HEADER->version++, "unknown version");
  REFUSED(HEADER->file_size--, "size differs from its header");
  REFUSED(HEADER->inodes.count++, "a table leaves the file");
  REFUSED(HEADER->dirents.offset += 4, "a table leaves the file");
  REFUSED(HEADER->strings.count = UINT64_MAX, "a table leaves the file");
  REFUSED(HEADER->codec = 0, "unknown codec");
  REFUSED(HEADER->points.offset = 8, "the points leave the file, or are none of its codec's");
  REFUSED((HEADER->codec = CRFS_CODEC_ZSTD, HEADER->points.offset = 8),
          "the points leave the file, or are none of its codec's");
  REFUSED(HEADER->windows.count = 1, "the points leave the file, or are none of its codec's");
  REFUSED(HEADER->inodes.count = 0, "number of inodes out of range");
  REFUSED(HEADER->slots.count--, "number of hash slots is no power of two");
  REFUSED(HEADER->probes = 0, "number of probes out of range");
  REFUSED(HEADER->probes = CRFS_PROBE_LIMIT + 1, "number of probes out of range");
  REFUSED(HEADER->prefetch_end = UINT64_MAX, "an offset in the blob out of range");
  REFUSED(HEADER->ino_base++, "base of inode numbers overlaps inodes");
}

static void entries(void) {
  REFUSED(DIRENTS[0].inode = 0, "an entry names no inode");
  REFUSED(DIRENTS[0].inode = UINT32_MAX, "an entry names no inode");
  REFUSED(DIRENTS[0].path = UINT32_MAX, "an entry's path leaves the strings");
  REFUSED(DIRENTS[0].name_length++, "an entry's path leaves the strings");
  REFUSED(DIRENTS[0].type = 15, "an entry's type differs from its inode's");
  REFUSED((damaged + HEADER->strings.offset)[DIRENTS[0].path] = 0, "a name holds a slash or NUL");
  REFUSED(DIRENTS[0].path_length = DIRENTS[0].name_length = 1;
          (damaged + HEADER->strings.offset)[DIRENTS[0].path] = '.', "a name is '.' or '..'");
  REFUSED(DIRENTS[HEADER->dirents.count - 1].name_length--, "a name is no part of its path");
}

/* An entry that its inode does not name, since that has another one. */
static uint32_t second_name(void) {
  uint32_t n = 0;
  while (INODES[DIRENTS[n].inode].dirent == n)
    n++;
  return n;
}

/* By its second name, a directory could be inside of itself. */
static void directories(void) {
  memcpy(damaged, whole, sizeof whole);
  const uint32_t second = second_name();
  for (uint32_t inode = 1; inode < HEADER->inodes.count; inode++)
    if (S_ISDIR(((const struct crfs_inode *)(whole + HEADER->inodes.offset))[inode].mode))
      REFUSED(DIRENTS[second].inode = inode; DIRENTS[second].type = 4, "a directory has two names");
}

static void inodes(void) {
  REFUSED(INODES[0].mode ^= S_IFSOCK ^ S_IFDIR, "the root is no directory");
  REFUSED(INODES[1].xattr_count = UINT32_MAX, "xattrs of an inode leave their table");
  REFUSED(inode_of(S_IFBLK)->dirent++, "an inode has no entry");
  REFUSED(INODES[1].mtime_nsec = 1000000000, "nanoseconds out of range");
  REFUSED(INODES[0].size = 1, "size of what has no content");
  REFUSED(inode_of(S_IFCHR)->size = 1, "size of what has no content");
  REFUSED(INODES[0].count = UINT32_MAX, "entries of a directory leave their table");
  REFUSED(INODES[0].count--, "an entry lies in no directory");
  REFUSED(INODES[1].first--, "an entry lies in another directory");
  REFUSED(struct crfs_dirent first = DIRENTS[0]; DIRENTS[0] = DIRENTS[1]; DIRENTS[1] = first;
          INODES[DIRENTS[0].inode].dirent = 0;
          INODES[DIRENTS[1].inode].dirent = 1, "entries of a directory are not sorted");
  REFUSED(DIRENTS[1].path = DIRENTS[0].path; DIRENTS[1].path_length = DIRENTS[0].path_length;
          DIRENTS[1].name_length = DIRENTS[0].name_length, "entries of a directory are not sorted");
  REFUSED(inode_of(S_IFLNK)->first = UINT64_MAX, "a symlink's target leaves the strings");
  REFUSED(INODES[HEADER->inodes.count - 1].mode = 0, "an entry's type differs from its inode's");
}

static void chunks(void) {
  REFUSED(inode_of(S_IFREG)->size = UINT64_MAX, "size of a file out of range");
  REFUSED(inode_of(S_IFREG)->first = UINT64_MAX, "chunks of a file leave their table");
  REFUSED(inode_of(S_IFREG)->first++, "chunks of a file do not follow each other");
  REFUSED(inode_of(S_IFREG)->size++, "chunks of a file do not cover it");
  REFUSED(CHUNKS[0].inode++, "chunks of a file do not follow each other");
  REFUSED(CHUNKS[1].file_offset++, "chunks of a file do not follow each other");
  REFUSED(CHUNKS[0].size = UINT64_MAX, "chunks of a file do not follow each other");
  REFUSED(struct crfs_inode *i = inode_of(S_IFREG); i->count = 0; i->size = 0, "a chunk belongs to no file");
  REFUSED(CHUNKS[0].digest = UINT32_MAX, "a chunk's digest leaves its table");
  REFUSED(CHUNKS[0].offset = UINT64_MAX, "a chunk leaves the blob");
  REFUSED(CHUNKS[0].offset = 1; CHUNKS[0].end = 0, "a chunk leaves the blob");
  REFUSED(CHUNKS[0].inner = UINT64_MAX, "a chunk leaves its member's output");
}

static void others(void) {
  REFUSED(TABLE(xattrs, crfs_xattr)->value = UINT32_MAX, "an xattr leaves the strings");
  REFUSED(TABLE(xattrs, crfs_xattr)->name_length = 0, "an xattr leaves the strings");
  REFUSED(TABLE(slots, crfs_slot)->dirent = UINT32_MAX, "a hash slot names no entry");
}

int main(void) {
  struct crfs_index_view view;
  size = sample_index(whole);
  CHECK(crfs_index_open(&view, whole, size) == NULL);
  CHECK(strcmp(crfs_index_open(&view, whole, sizeof(struct crfs_index) - 1), "index: shorter than its header") == 0);
  header();
  entries();
  directories();
  inodes();
  chunks();
  others();
  printf("checks %lu\n", checks);
  return 0;
}
