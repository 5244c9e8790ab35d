/* SPDX-License-Identifier: GPL-3.0-or-later */

/* An index that is large enough for as many threads as check one at most, wrong in each table and in each thread's part
 * of it: what is said is what one thread says, with threads and where none can be had. */

#include "native/check.h"
#include "native/own-threads.h"
#include "shared/index.h"

#include <dirent.h>
#include <sys/stat.h>

#define PARTS CRFS_PARTS_LIMIT
#define FILES 100u /* in each directory */
#define DIRECTORIES 5400u
#define ENTRIES (DIRECTORIES * (FILES + 1))
#define PATHS "dir-0000/file-00" /* of each file, and its directory's first */

static void *whole;
static struct crfs_index *header;
static struct crfs_inode *inodes;
static struct crfs_dirent *dirents;
static struct crfs_chunk *chunks;
static struct crfs_xattr *xattrs;
static struct crfs_slot *slots;
static char *strings;
static int few;

static uint64_t place(struct crfs_table *table, uint64_t end, uint64_t count, size_t record) {
  *table = (struct crfs_table){.offset = (end + 7) / 8 * 8, .count = count};
  return table->offset + count * record;
}

static void add_entry(uint32_t dirent, uint32_t inode, size_t path, size_t length, size_t name, unsigned char type) {
  dirents[dirent] = (struct crfs_dirent){(uint32_t)path, inode, (uint16_t)length, (uint8_t)name, type};
  inodes[inode].dirent = dirent;
  inodes[inode].mode = DTTOIF(type);
}

/* The root holds directories, each of them files; an inode's number is that of its place in a walk. */
static void add_directory(uint32_t directory) {
  const uint32_t number = 1 + directory * (FILES + 1), first = DIRECTORIES + directory * FILES;
  const size_t row = (size_t)directory * FILES * strlen(PATHS);
  add_entry(directory, number, row, strlen("dir-0000"), strlen("dir-0000"), DT_DIR);
  inodes[number].first = first;
  inodes[number].count = FILES;
  for (uint32_t file = 0; file < FILES; file++) {
    const uint32_t inode = number + 1 + file, chunk = directory * FILES + file;
    const size_t path = row + file * strlen(PATHS);
    char text[sizeof PATHS];
    snprintf(text, sizeof text, "dir-%04u/file-%02u", directory % 10000, file % 100);
    memcpy(strings + path, text, strlen(PATHS));
    add_entry(first + file, inode, path, strlen(PATHS), strlen("file-00"), DT_REG);
    inodes[inode].size = 1;
    inodes[inode].first = chunk;
    inodes[inode].count = 1;
    inodes[inode].xattr_first = chunk;
    inodes[inode].xattr_count = 1;
    chunks[chunk] = (struct crfs_chunk){.offset = chunk, .end = chunk + 1, .size = 1, .inode = inode};
    xattrs[chunk] = (struct crfs_xattr){.name_length = 1};
  }
}

static void make_index(void) {
  const uint64_t files = (uint64_t)DIRECTORIES * FILES;
  struct crfs_index h = {.magic = CRFS_INDEX_MAGIC,
                         .version = CRFS_INDEX_VERSION,
                         .probes = 1,
                         .blob_used = files,
                         .codec = CRFS_CODEC_GZIP};
  uint64_t end = place(&h.inodes, sizeof h, ENTRIES + 1, sizeof *inodes);
  end = place(&h.dirents, end, ENTRIES, sizeof *dirents);
  end = place(&h.chunks, end, files, sizeof *chunks);
  end = place(&h.digests, end, 0, 32);
  end = place(&h.xattrs, end, files, sizeof *xattrs);
  end = place(&h.slots, end, 1 << 20, sizeof *slots);
  end = place(&h.strings, end, files * strlen(PATHS), 1);
  h.file_size = end;
  char *bytes = whole = calloc(1, end);
  CHECK(whole != NULL);
  header = memcpy(whole, &h, sizeof h);
  inodes = (struct crfs_inode *)(bytes + h.inodes.offset);
  dirents = (struct crfs_dirent *)(bytes + h.dirents.offset);
  chunks = (struct crfs_chunk *)(bytes + h.chunks.offset);
  xattrs = (struct crfs_xattr *)(bytes + h.xattrs.offset);
  slots = (struct crfs_slot *)(bytes + h.slots.offset);
  strings = bytes + h.strings.offset;
  inodes[0] = (struct crfs_inode){.mode = S_IFDIR, .count = DIRECTORIES};
  for (uint32_t i = 0; i < DIRECTORIES; i++)
    add_directory(i);
}

static const char *open_with(int offered, int to_have) {
  struct crfs_index_view view;
  processors = offered;
  threads_to_have = to_have;
  threads_had = 0;
  return crfs_index_open(&view, whole, header->file_size);
}

static int says(const char *found, const char *rule) {
  return rule == NULL ? found == NULL : found != NULL && strcmp(found + strlen("index: "), rule) == 0;
}

/* Whether one thread, unless there are to be FEW checks, and several say that RULE is broken, or nothing for NULL. */
static void expect(const char *rule) {
  if (!few) {
    CHECK(says(open_with(1, 0), rule));
    CHECK(threads_had == 0);
  }
  CHECK(says(open_with(PARTS, 100), rule));
  CHECK(threads_had >= (int)PARTS - 1);
}

#define REFUSED(lvalue, value, rule)                                                                                   \
  do {                                                                                                                 \
    __typeof__(lvalue) kept = (lvalue);                                                                                \
    (lvalue) = (value);                                                                                                \
    expect(rule);                                                                                                      \
    (lvalue) = kept;                                                                                                   \
  } while (0)

static struct crfs_inode *directory(uint32_t number) {
  return &inodes[1 + number * (FILES + 1)];
}

/* QUARTER of a table of COUNT records: somewhere in it. */
static uint64_t within(uint64_t count, unsigned quarter) {
  return count * quarter / PARTS + count / 9;
}

static void one_wrong(unsigned quarter) {
  const uint32_t directory_there = (uint32_t)within(DIRECTORIES, quarter);
  const uint32_t file_there = 2 + directory_there * (FILES + 1);
  struct crfs_inode *there = directory(directory_there);
  REFUSED(dirents[within(ENTRIES, quarter)].type, 15, "an entry's type differs from its inode's");
  REFUSED(inodes[file_there].dirent, 0, "an inode has no entry");
  REFUSED(inodes[file_there].mtime_nsec, UINT32_MAX, "nanoseconds out of range");
  REFUSED(there->first, there->first - 1, "an entry lies in another directory");
  REFUSED(there->first, UINT64_MAX, "entries of a directory leave their table");
  REFUSED(there->count, FILES - 1, "an entry lies in no directory");
  REFUSED(inodes[file_there].size, 2, "chunks of a file do not cover it");
  REFUSED(chunks[inodes[file_there].first].offset, UINT64_MAX, "a chunk leaves the blob");
  REFUSED(xattrs[within(header->xattrs.count, quarter)].name_length, 0, "an xattr leaves the strings");
  REFUSED(slots[within(header->slots.count, quarter)].dirent, UINT32_MAX, "a hash slot names no entry");
}

static void at_the_borders(uint64_t count) {
  for (unsigned quarter = 0; quarter <= PARTS; quarter++)
    for (uint64_t i = count * quarter / PARTS; i <= count * quarter / PARTS + 1; i++)
      if (i > 0 && i <= count)
        REFUSED(inodes[i - 1].mtime_nsec, UINT32_MAX, "nanoseconds out of range");
}

/* A directory that claims all but the directories' own entries as well: too many together with those in front of it. */
static void too_many(unsigned quarter) {
  struct crfs_inode *greedy = directory((uint32_t)(DIRECTORIES * quarter / PARTS + 2)), kept = *greedy;
  greedy->first = DIRECTORIES;
  greedy->count = ENTRIES - DIRECTORIES;
  expect("an entry lies in two directories");
  inodes[1].mtime_nsec = UINT32_MAX; /* in front of it */
  expect("nanoseconds out of range");
  inodes[1].mtime_nsec = 0;
  inodes[ENTRIES].mtime_nsec = UINT32_MAX; /* behind it */
  expect("an entry lies in two directories");
  inodes[ENTRIES].mtime_nsec = 0;
  *greedy = kept;
}

static void the_first_of_two(void) {
  inodes[ENTRIES].mtime_nsec = UINT32_MAX;
  REFUSED(inodes[1 + FILES / 2].size, 2, "chunks of a file do not cover it");
  REFUSED(inodes[within(ENTRIES, 2)].xattr_count, UINT32_MAX, "xattrs of an inode leave their table");
  REFUSED(dirents[ENTRIES - 1].type, 15, "an entry's type differs from its inode's");
  inodes[ENTRIES].mtime_nsec = 0;
}

static void with_threads(int to_have) {
  CHECK(open_with(PARTS, to_have) == NULL);
  CHECK(threads_had == to_have);
  slots[header->slots.count - 1].dirent = UINT32_MAX;
  CHECK(says(open_with(PARTS, to_have), "a hash slot names no entry"));
  slots[header->slots.count - 1].dirent = 0;
}

/* usage: index-parts [few]: few damages, each for several threads alone: for a program that looks for races, slowly */
int main(int argc, char **argv) {
  (void)argv;
  few = argc > 1;
  make_index();
  expect(NULL);
  for (unsigned quarter = 0; quarter < (few ? 1 : PARTS); quarter++)
    one_wrong(quarter);
  the_first_of_two();
  if (!few) {
    at_the_borders(ENTRIES + 1);
    for (unsigned quarter = 0; quarter < PARTS; quarter++)
      too_many(quarter);
  }
  for (int to_have = few ? (int)PARTS - 2 : 0; to_have < (int)PARTS; to_have++)
    with_threads(to_have);
  free(whole);
  printf("checks %lu\n", checks);
  return 0;
}
