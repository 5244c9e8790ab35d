/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/stubs.h"

#include "lower/stub-tree.h"
#include "lower/stub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VERSION 1u             /* raised whenever stubs of before would be wrong */
#define MOST_INODES (1u << 16) /* each takes an inode of the cache's file system, and a block for its attributes */
#define NAME_SIZE 32
#define TREE "tree"
#define EMPTY "empty"
#define OF "of"
#define BYTES "bytes"

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* FNV-1a, 64 bits: it spreads names, and need not be more than that, as `of` is compared. */
static void name_of(char name[NAME_SIZE], const struct crfs_stubs *stubs) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t n = 0; n < stubs->length; n++)
    hash = (hash ^ (uint8_t)stubs->of[n]) * 0x100000001b3ull;
  snprintf(name, NAME_SIZE, "%016" PRIx64, hash);
}

/* Owners on the disk depend on which users this namespace has. */
static void print_file(FILE *to, const char *path) {
  char bytes[4096];
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return;
  fwrite(bytes, 1, fread(bytes, 1, sizeof bytes, file), to);
  fclose(file);
}

/* Fills in what the stubs depend on. Returns 0, or -1 without memory. */
static int describe(struct crfs_stubs *stubs, const struct crfs_tree *tree) {
  FILE *of = open_memstream(&stubs->of, &stubs->length);
  if (of == NULL)
    return -1;
  fprintf(of, "version %u\n%s\n", VERSION, stubs->class);
  print_file(of, "/proc/self/uid_map");
  print_file(of, "/proc/self/gid_map");
  for (uint32_t place = 0; place < tree->count; place++) {
    for (int n = 0; n < 32; n++)
      fprintf(of, "%02x", tree->layers[place]->index.header->key[n]);
    fputc('\n', of);
  }
  return fclose(of) == 0 ? 0 : -1;
}

/* The directory behind THEIRS, opened by its path in this mount namespace; or -1: it has another one here, or none. */
static int open_here(int theirs) {
  char link[32], path[PATH_MAX];
  struct stat there, here;
  snprintf(link, sizeof link, "/proc/self/fd/%d", theirs);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0)
    return -1;
  path[length] = '\0';
  int fd = open(path, DIRECTORY);
  if (fd < 0 || (fstat(theirs, &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
                 there.st_ino == here.st_ino))
    return fd;
  close(fd);
  return -1;
}

static int have_too_many(const struct crfs_tree *tree) {
  uint64_t inodes = 0;
  for (uint32_t place = 0; place < tree->count; place++)
    inodes += tree->layers[place]->index.header->inodes.count;
  return inodes > MOST_INODES;
}

int crfs_stubs_begin(struct crfs_stubs *stubs, const struct crfs_tree *tree, int trusted) {
  uint32_t number;
  if (tree->below[0] != NULL || have_too_many(tree))
    return -1;
  struct crfs_connection *connection = crfs_session_acquire(tree->layers[0], &number);
  stubs->class = trusted ? "trusted" : "user";
  stubs->objects = open_here(connection->objects);
  crfs_connection_release(connection);
  if (stubs->objects < 0 || describe(stubs, tree) < 0)
    return -1;
  stubs->directory = openat(stubs->objects, "../stubs", DIRECTORY);
  return stubs->directory < 0 ? -1 : 0;
}

/* Whether the stubs in DIRECTORY are of the same. */
static int are_of_same(const struct crfs_stubs *stubs, int directory) {
  char *of = malloc(stubs->length + 1);
  int fd = openat(directory, OF, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), same = 0;
  if (of != NULL && fd >= 0)
    same = read(fd, of, stubs->length + 1) == (ssize_t)stubs->length && memcmp(of, stubs->of, stubs->length) == 0;
  if (fd >= 0)
    close(fd);
  free(of);
  return same;
}

enum crfs_stubs_state crfs_stubs_find(const struct crfs_stubs *stubs, struct crfs_stubs_found *found) {
  char name[NAME_SIZE];
  name_of(name, stubs);
  int directory = openat(stubs->directory, name, DIRECTORY);
  if (directory < 0)
    return CRFS_STUBS_MISSING;
  found->tree = found->empty = -1;
  if (flock(directory, LOCK_SH | LOCK_NB) == 0 && are_of_same(stubs, directory)) {
    found->tree = openat(directory, TREE, DIRECTORY);
    found->empty = openat(directory, EMPTY, DIRECTORY);
  }
  if (found->tree >= 0 && found->empty >= 0) {
    futimens(directory, NULL);
    return CRFS_STUBS_THERE;
  }
  close(directory);
  return CRFS_STUBS_IMPOSSIBLE;
}

/* Removes all that is below the directory behind FD. */
static void empty(int fd) {
  DIR *directory = fdopendir(openat(fd, ".", DIRECTORY));
  const struct dirent *entry;
  if (directory == NULL)
    return;
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    int below = entry->d_type == DT_DIR ? openat(fd, entry->d_name, DIRECTORY) : -1;
    if (below >= 0) {
      empty(below);
      close(below);
    }
    unlinkat(fd, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
  }
  closedir(directory);
}

static int write_file(int directory, const char *name, const char *bytes, size_t size) {
  int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  int result = write(fd, bytes, size) == (ssize_t)size ? 0 : -1;
  close(fd);
  return result;
}

/* Whether an errno says that this file system, or these rights, cannot show a layer as it is, now and later. */
static int is_lasting(int error) {
  static const int lasting[] = {EPERM, EINVAL, EOPNOTSUPP, ERANGE, E2BIG, EFBIG, EOVERFLOW};
  for (size_t n = 0; n < sizeof lasting / sizeof lasting[0]; n++)
    if (error == lasting[n])
      return 1;
  return 0;
}

static int make_directory(int at, const char *name) {
  return mkdirat(at, name, 0700) < 0 ? -1 : openat(at, name, DIRECTORY);
}

/* Makes the two trees in DIRECTORY, if there can be any. Returns 0; or -1: not now, for want of room or the like. */
static int make_trees(int directory, const struct crfs_stubs *stubs, const struct crfs_tree *tree, uint64_t *bytes) {
  int root = make_directory(directory, TREE), nothing = make_directory(directory, EMPTY), result = -1, error = EAGAIN;
  if (root >= 0 && nothing >= 0) {
    result = crfs_stub_tree_make(root, tree, stubs->class, bytes);
    if (result == 0)
      result = crfs_stub_finish(nothing, tree->layers[tree->count - 1], 0, stubs->class);
    error = errno;
  }
  if (root >= 0)
    close(root);
  if (nothing >= 0)
    close(nothing);
  if (result == 0)
    return syncfs(directory);
  empty(directory);
  *bytes = 0;
  return is_lasting(error) ? 0 : -1;
}

static int make_all(int directory, const struct crfs_stubs *stubs, const struct crfs_tree *tree) {
  uint64_t bytes;
  char text[32];
  if (make_trees(directory, stubs, tree, &bytes) < 0)
    return -1;
  int length = snprintf(text, sizeof text, "%" PRIu64 "\n", bytes);
  return write_file(directory, BYTES, text, (size_t)length) < 0 ||
                 write_file(directory, OF, stubs->of, stubs->length) < 0
             ? -1
             : 0;
}

void crfs_stubs_make(const struct crfs_stubs *stubs, const struct crfs_tree *tree) {
  char name[NAME_SIZE], unfinished[NAME_SIZE + 8];
  name_of(name, stubs);
  snprintf(unfinished, sizeof unfinished, "new-%s", name);
  mkdirat(stubs->directory, unfinished, 0700);
  int directory = openat(stubs->directory, unfinished, DIRECTORY);
  if (directory < 0)
    return;
  if (flock(directory, LOCK_EX | LOCK_NB) == 0) { /* else somebody makes them */
    empty(directory);                             /* somebody was killed over it */
    if (make_all(directory, stubs, tree) < 0 || renameat(stubs->directory, unfinished, stubs->directory, name) < 0) {
      empty(directory);
      unlinkat(stubs->directory, unfinished, AT_REMOVEDIR);
    }
  }
  close(directory);
}

/* Whether NAME is of stubs that were taken away: src/main/cache/stubs.ts. */
static int has_gone(const char *name) {
  return strncmp(name, "gone-", 5) == 0;
}

void crfs_stubs_sweep(const struct crfs_stubs *stubs) {
  DIR *directory = fdopendir(openat(stubs->directory, ".", DIRECTORY));
  const struct dirent *entry;
  if (directory == NULL)
    return;
  while ((entry = readdir(directory)) != NULL) {
    int fd = has_gone(entry->d_name) ? openat(stubs->directory, entry->d_name, DIRECTORY) : -1;
    if (fd < 0)
      continue;
    empty(fd);
    close(fd);
    unlinkat(stubs->directory, entry->d_name, AT_REMOVEDIR);
  }
  closedir(directory);
}
