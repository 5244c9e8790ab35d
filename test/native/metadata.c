/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the plugin answers from an index alone: paths, stat, directories, xattrs, links, and which opens it refuses. */

#include "plugin/metadata.h"
#include "client/mapping.h"
#include "native/check.h"
#include "native/sample.h"
#include "plugin/directory.h"
#include "plugin/open.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PROBE (O_RDONLY | O_NONBLOCK | O_NOFOLLOW)

static struct crfs_layer layer;
static struct ovl_layer l = {.fd = -1, .data_source_private_data = &layer};

static void map_sample(void) {
  static _Alignas(8) char bytes[SAMPLE_SIZE];
  uint8_t digest[32];
  struct crfs_failure failure;
  size_t size = sample_index(bytes);
  int fd = memfd_create("index", 0);
  CHECK(write(fd, bytes, size) == (ssize_t)size);
  memset(digest, 0, sizeof digest);
  CHECK(crfs_mapping_make(&layer, fd, digest, &failure) == -1 && strstr(failure.text, "another layer") != NULL);
  memset(digest, 0xd1, sizeof digest);
  CHECK(crfs_mapping_make(&layer, fd, digest, &failure) == 0);
  CHECK(crfs_mapping_compare(&layer, fd, &failure) == 0);
  int other = memfd_create("index", 0);
  CHECK(crfs_mapping_compare(&layer, other, &failure) == -1);
  bytes[offsetof(struct crfs_index, hash_seed)]++;
  CHECK(write(other, bytes, size) == (ssize_t)size);
  CHECK(crfs_mapping_compare(&layer, other, &failure) == -1);
  close(other);
  close(fd);
}

static struct stat stat_of(const char *path) {
  struct stat st;
  CHECK(crfs_statat(&l, path, &st, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS) == 0);
  return st;
}

static ino_t ino(const char *path) {
  return stat_of(path).st_ino;
}

static void every_file_shows_what_the_index_holds(void) {
  for (size_t i = 0; i < sample_count; i++) {
    const struct sample_file *f = &sample_files[i];
    struct stat st = stat_of(f->path), again;
    if (f->mode == 0) {
      CHECK(st.st_ino == ino(f->target) && st.st_nlink == 2);
      continue;
    }
    CHECK(st.st_mode == f->mode && st.st_uid == f->owner && st.st_gid == f->owner + (f->owner != 0));
    CHECK((st.st_ino >> 24) == (1ull << 39 | 0x1234567) && st.st_dev == 0 && st.st_nlink >= 1);
    CHECK(st.st_mtim.tv_sec == SAMPLE_MTIME && st.st_mtim.tv_nsec == SAMPLE_NSEC);
    CHECK(st.st_atim.tv_sec == SAMPLE_MTIME && st.st_ctim.tv_sec == SAMPLE_MTIME);
    if (S_ISREG(f->mode))
      CHECK((uint64_t)st.st_size == f->size && (uint64_t)st.st_blocks == (f->size + 511) / 512);
    if (S_ISCHR(f->mode) || S_ISBLK(f->mode))
      CHECK(st.st_rdev == makedev(f->major, f->minor));
    CHECK(crfs_file_exists(&l, f->path) == 0);
    CHECK(crfs_fstat(&l, -1, f->path, STATX_BASIC_STATS, &again) == 0 && again.st_ino == st.st_ino);
  }
}

static void paths_are_taken_in_any_form(void) {
  static const char *const roots[] = {"", ".", "./", "/", "./.", "//."};
  static const char *const forms[] = {"./bin/sh", "bin//sh", "bin/./sh", "/bin/sh", ".//bin/././/sh"};
  static const char *const directories[] = {"bin/", "bin/.", "./bin//", "bin/./"};
  for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
    CHECK(ino(roots[i]) == ino(""));
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
    CHECK(ino(forms[i]) == ino("bin/sh"));
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
    CHECK(ino(directories[i]) == ino("bin"));
  CHECK(ino("bin/sh") != ino("bin/su"));
}

static void what_is_missing_has_the_right_errno(void) {
  char name[300], path[5000];
  memset(name, 'n', sizeof name);
  name[256] = '\0';
  CHECK_ERRNO(crfs_file_exists(&l, "nothing"), ENOENT);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/nothing"), ENOENT);
  CHECK_ERRNO(crfs_file_exists(&l, "no/such/path/at/all"), ENOENT);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/.wh.sh"), ENOENT);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/sh/x"), ENOTDIR);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/sh/x/y/z"), ENOTDIR);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/link/x"), ENOTDIR);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/sh/"), ENOTDIR);
  CHECK_ERRNO(crfs_file_exists(&l, "bin/sh/."), ENOTDIR);
  CHECK_ERRNO(crfs_file_exists(&l, ".."), ENOENT);
  CHECK_ERRNO(crfs_file_exists(&l, name), ENAMETOOLONG);
  name[255] = '\0';
  CHECK_ERRNO(crfs_file_exists(&l, name), ENOENT);
  memset(path, '/', sizeof path);
  path[4096] = '\0';
  CHECK_ERRNO(crfs_file_exists(&l, path), ENAMETOOLONG);
  path[4095] = '\0';
  CHECK(crfs_file_exists(&l, path) == 0);
  for (size_t i = 0; i < 4095; i += 2)
    path[i] = 'd';
  CHECK_ERRNO(crfs_file_exists(&l, path), ENOENT);
  CHECK(ino(sample_long_path()) != 0 && strlen(sample_long_name()) == 255);
}

static struct dirent *entry_of(const char *path, const char *name, int *count) {
  static struct dirent found;
  struct dirent *d;
  struct stat st;
  *count = 0;
  found.d_name[0] = '\0';
  CHECK(crfs_statat(&l, path, &st, AT_SYMLINK_NOFOLLOW, STATX_TYPE) == 0);
  void *directory = crfs_opendir(&l, path);
  CHECK(directory != NULL);
  while (errno = EINTR, (d = crfs_readdir(directory)) != NULL) {
    CHECK(strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0);
    ++*count;
    if (strcmp(d->d_name, name) == 0)
      found = *d;
  }
  CHECK(errno == 0);
  CHECK(crfs_closedir(directory) == 0);
  return &found;
}

static void directories_list_names_types_and_numbers(void) {
  for (size_t i = 1; i < sample_count; i++) {
    char parent[1024];
    strcpy(parent, sample_files[i].path);
    char *slash = strrchr(parent, '/');
    const char *name = sample_files[i].path + (slash == NULL ? 0 : slash + 1 - parent);
    *(slash == NULL ? parent : slash) = '\0';
    int count;
    const struct dirent *d = entry_of(parent, name, &count);
    struct stat st = stat_of(sample_files[i].path);
    CHECK(strcmp(d->d_name, name) == 0 && d->d_ino == st.st_ino && d->d_type == IFTODT(st.st_mode));
  }
  int count;
  entry_of("", "", &count);
  CHECK(count == 7);
  entry_of("./etc/", "", &count);
  CHECK(count == 5);
  CHECK(crfs_opendir(&l, "bin/sh") == NULL && errno == ENOTDIR);
  CHECK(crfs_opendir(&l, "none") == NULL && errno == ENOENT);
  CHECK(crfs_closedir(NULL) == 0);
}

/* As hosts before 1.8.2 do it. */
static void a_missed_whiteout_announces_its_directory(void) {
  static const char *const pairs[][2] = {{".wh.", ""}, {"./.wh.bin", "bin"}, {".wh.etc", "./etc"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    CHECK_ERRNO(crfs_file_exists(&l, pairs[i][0]), ENOENT);
    void *directory = crfs_opendir(&l, pairs[i][1]);
    CHECK(directory != NULL && crfs_readdir(directory) != NULL);
    CHECK(crfs_closedir(directory) == 0);
  }
}

static void more_than_one_directory_can_be_open(void) {
  struct stat st;
  void *first, *second;
  CHECK(crfs_statat(&l, "bin", &st, 0, STATX_TYPE) == 0 && (first = crfs_opendir(&l, "bin")) != NULL);
  CHECK(crfs_statat(&l, "etc", &st, 0, STATX_TYPE) == 0 && (second = crfs_opendir(&l, "etc")) != NULL);
  CHECK(first != second);
  CHECK(strcmp(crfs_readdir(first)->d_name, "bash") == 0);
  CHECK(strcmp(crfs_readdir(second)->d_name, ".wh..wh..opq") == 0);
  CHECK(strcmp(crfs_readdir(first)->d_name, "link") == 0);
  CHECK(crfs_closedir(first) == 0 && crfs_closedir(second) == 0);
}

static void xattrs_are_listed_and_read(void) {
  static const char list[] = "user.colour\0user.bytes";
  char buffer[64];
  CHECK(crfs_listxattr(&l, "etc/passwd", NULL, 0) == sizeof list);
  CHECK(crfs_listxattr(&l, "etc/passwd", buffer, sizeof list) == sizeof list);
  CHECK(memcmp(buffer, list, sizeof list) == 0);
  CHECK_ERRNO(crfs_listxattr(&l, "etc/passwd", buffer, sizeof list - 1), ERANGE);
  CHECK(crfs_listxattr(&l, "bin/sh", buffer, sizeof buffer) == 0);
  CHECK_ERRNO(crfs_listxattr(&l, "none", buffer, sizeof buffer), ENOENT);
  for (int i = 0; i < 2; i++) {
    CHECK(crfs_getxattr(&l, "etc", sample_xattr_name[i], NULL, 0) == 8);
    CHECK(crfs_getxattr(&l, "etc", sample_xattr_name[i], buffer, 8) == 8);
    CHECK(memcmp(buffer, sample_xattr_value[i], 8) == 0);
    CHECK_ERRNO(crfs_getxattr(&l, "etc", sample_xattr_name[i], buffer, 7), ERANGE);
  }
  CHECK_ERRNO(crfs_getxattr(&l, "etc", "user.col", buffer, 8), ENODATA);
  CHECK_ERRNO(crfs_getxattr(&l, "etc", "user.coloured", buffer, 8), ENODATA);
  CHECK_ERRNO(crfs_getxattr(&l, "bin", "trusted.overlay.opaque", buffer, 8), ENODATA);
}

static void links_are_read(void) {
  char buffer[64];
  CHECK(crfs_readlinkat(&l, "bin/link", buffer, sizeof buffer) == 13);
  CHECK(memcmp(buffer, "../etc/passwd", 13) == 0);
  CHECK(crfs_readlinkat(&l, "bin/link", buffer, 4) == 4);
  CHECK_ERRNO(crfs_readlinkat(&l, "bin/sh", buffer, 4), EINVAL);
  CHECK_ERRNO(crfs_readlinkat(&l, "", buffer, 4), EINVAL);
  CHECK_ERRNO(crfs_readlinkat(&l, "none", buffer, 4), ENOENT);
}

static void opens_that_need_no_daemon_ask_none(void) {
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", PROBE, 0755), EOPNOTSUPP);
  CHECK_ERRNO(crfs_openat(&l, "none", PROBE, 0755), ENOENT);
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", O_WRONLY, 0700), EROFS);
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", O_RDWR, 0700), EROFS);
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", O_RDONLY | O_TRUNC, 0700), EROFS);
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", O_RDONLY | O_CREAT, 0700), EROFS);
  CHECK_ERRNO(crfs_openat(&l, "bin/sh", O_RDONLY | O_DIRECTORY, 0755), ENOTDIR);
  CHECK_ERRNO(crfs_openat(&l, "bin/link", O_RDONLY | O_NOFOLLOW, 0700), ELOOP);
  CHECK_ERRNO(crfs_openat(&l, "dev/null", O_RDONLY, 0700), ENXIO);
  CHECK_ERRNO(crfs_openat(&l, "dev/pipe", O_RDONLY, 0700), ENXIO);
  struct stat st;
  char byte;
  int device = crfs_openat(&l, "dev/null", O_RDONLY | O_NONBLOCK, 0); /* to be deleted: copied up without content */
  CHECK(device >= 0 && read(device, &byte, 1) == 0);
  close(device);
  int fd = crfs_openat(&l, "empty", O_RDONLY | O_NOFOLLOW, 0700);
  CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
  CHECK(read(fd, &byte, 1) == 0 && write(fd, "x", 1) == -1);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  close(fd);
}

int main(void) {
  map_sample();
  every_file_shows_what_the_index_holds();
  paths_are_taken_in_any_form();
  what_is_missing_has_the_right_errno();
  directories_list_names_types_and_numbers();
  a_missed_whiteout_announces_its_directory();
  more_than_one_directory_can_be_open();
  xattrs_are_listed_and_read();
  links_are_read();
  opens_that_need_no_daemon_ask_none();
  crfs_mapping_drop(&layer);
  printf("checks %lu\n", checks);
  return 0;
}
