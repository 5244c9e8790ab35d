/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What readers get, and what the host copies up, over a daemon that the environment may make fail (fake-daemon.c).
 *
 * usage: mount SCENARIO BLOB-IN-BASE64 */

#include "native/check.h"
#include "native/host.h"
#include "native/sample.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int cut(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)at;
  return type == FTW_F ? truncate(path, st->st_size / 2) : 0;
}

static void objects_that_were_cut_short_are_asked_for_again(void) {
  char objects[1024];
  snprintf(objects, sizeof objects, "%s/objects", getenv("FAKE_ROOT"));
  CHECK(host_load() == 0);
  read_all_files();
  CHECK(nftw(objects, cut, 8, FTW_PHYS) == 0);
  read_all_files();
  host_unload();
}

static void reads_and_leaves_nothing_open(void) {
  int before = descriptors();
  CHECK(host_load() == 0);
  read_all_files();
  read_all_files();
  host_unload();
  CHECK(descriptors() == before);
}

static void reads_after_the_host_has_forked(void) {
  int status;
  CHECK(host_load() == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    read_all_files();
    host_unload();
    exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void *read_as_a_thread(void *unused) {
  (void)unused;
  read_all_files();
  return NULL;
}

static void threads_read(void) {
  pthread_t threads[6];
  CHECK(host_load() == 0);
  for (int i = 0; i < 6; i++)
    CHECK(pthread_create(&threads[i], NULL, read_as_a_thread, NULL) == 0);
  for (int i = 0; i < 6; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  host_unload();
}

static void processes_race_to_start_the_daemon(void) {
  int start[2], loaded[2], end[2], status;
  char byte = '+';
  CHECK(pipe(start) == 0 && pipe(loaded) == 0 && pipe(end) == 0);
  for (int i = 0; i < 10; i++)
    if (fork() == 0) {
      close(start[1]);
      close(end[1]);
      CHECK(read(start[0], &byte, 1) == 0); /* all start at once */
      CHECK(host_load() == 0);
      read_all_files();
      CHECK(write(loaded[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0); /* the daemon ends with its last mount */
      host_unload();
      exit(0);
    }
  close(start[1]);
  close(loaded[1]);
  for (int i = 0; i < 10; i++)
    CHECK(read(loaded[0], &byte, 1) == 1);
  close(end[1]);
  for (int i = 0; i < 10; i++)
    CHECK(wait(&status) > 0 && status == 0);
}

static void check_attributes(int fd, const char *path) {
  struct stat st, own;
  char value[8];
  CHECK(ds->statat(&l[0], path, &st, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS) == 0);
  CHECK(fd >= 0 && fstat(fd, &own) == 0);
  CHECK(own.st_mode == st.st_mode && own.st_mtim.tv_sec == SAMPLE_MTIME && own.st_mtim.tv_nsec == SAMPLE_NSEC);
  if (geteuid() == 0)
    CHECK(own.st_uid == st.st_uid && own.st_gid == st.st_gid);
  int listed = ds->listxattr(&l[0], path, NULL, 0);
  if (listed > 0 && flistxattr(fd, NULL, 0) >= 0) {
    CHECK(fgetxattr(fd, sample_xattr_name[0], value, sizeof value) == sizeof value);
    CHECK(memcmp(value, sample_xattr_value[0], sizeof value) == 0);
  }
}

/* What is in the connection's tmp directory, whose skeleton l->fd is. */
static int left_in_tmp(void) {
  int count = 0, tmp = openat(l[0].fd, "..", O_RDONLY | O_DIRECTORY);
  const struct dirent *d;
  DIR *directory = fdopendir(tmp);
  CHECK(directory != NULL);
  while ((d = readdir(directory)) != NULL)
    count += d->d_name[0] != '.' && strcmp(d->d_name, "skeleton") != 0;
  closedir(directory);
  return count;
}

static void what_is_copied_up_carries_its_attributes(void) {
  static const char *const directories[] = {"", "bin", "etc", "usr/share", "usr/share/doc"};
  char value[8];
  CHECK(host_load() == 0);
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    int fd = ds->openat(&l[0], directories[i], COPY_UP, 0755);
    check_attributes(fd, directories[i]);
    close(fd);
  }
  CHECK(left_in_tmp() == 0);
  /* the host opens parents past the plugin: those of what it copies up, and no others, are there */
  CHECK(faccessat(l[0].fd, "usr/share", F_OK, 0) == 0 && faccessat(l[1].fd, "usr", F_OK, 0) == 0);
  CHECK(faccessat(l[0].fd, "usr/share/doc", F_OK, 0) == -1 && faccessat(l[0].fd, "bin", F_OK, 0) == -1);
  /* content and xattrs of a file, in a copy of its own */
  int object = open_to_read("etc/passwd"), copy = ds->openat(&l[0], "etc/passwd", COPY_UP, 0);
  check_content(copy, "etc/passwd");
  CHECK(fgetxattr(copy, sample_xattr_name[1], value, sizeof value) == sizeof value);
  CHECK(memcmp(value, sample_xattr_value[1], sizeof value) == 0);
  CHECK(fgetxattr(object, sample_xattr_name[1], value, sizeof value) == -1);
  CHECK(lseek(copy, 0, SEEK_CUR) == 0);
  close(object);
  close(copy);
  copy = ds->openat(&l[0], "bin/sh", COPY_UP, 0);
  check_content(copy, "bin/sh");
  close(copy);
  CHECK(left_in_tmp() == 0);
  host_unload();
}

static int names_in(DIR *directory) {
  int count = 0;
  const struct dirent *d;
  CHECK(directory != NULL);
  while ((d = readdir(directory)) != NULL)
    count += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
  CHECK(closedir(directory) == 0);
  return count;
}

/* As the host does before it renames a directory over a deleted one. */
static void the_c_library_can_read_a_directory(void) {
  CHECK(host_load() == 0);
  for (int i = 0; i < 2; i++) {
    CHECK(names_in(ds->opendir(&l[0], "etc")) == 5);
    CHECK(names_in(ds->opendir(&l[0], "usr/share/doc")) == 0);
    CHECK(names_in(fdopendir(ds->openat(&l[0], "bin", O_DIRECTORY, 0755))) == 5);
  }
  host_unload();
}

static void copies_up_after_the_daemon_died(void) {
  CHECK(host_load() == 0);
  read_file("bin/su");
  read_file(sample_long_path());
  read_file("etc/a\nb \xff\x01"); /* the first daemon dies here */
  int fd = ds->openat(&l[0], "usr/share/doc", COPY_UP, 0755);
  check_attributes(fd, "usr/share/doc");
  CHECK(faccessat(l[0].fd, "usr/share", F_OK, 0) == 0 && faccessat(l[1].fd, "usr/share", F_OK, 0) == 0);
  close(fd);
  host_unload();
}

static void opens_fail(int expected) {
  CHECK(host_load() == 0);
  CHECK_ERRNO(open_to_read("bin/su"), expected);
  CHECK_ERRNO(ds->openat(&l[0], "bin/sh", COPY_UP, 0), expected);
  host_unload();
}

static void opens_end_in_eio(void) {
  opens_fail(EIO);
}

static void opens_time_out(void) {
  opens_fail(ETIMEDOUT);
}

static void the_mount_fails(void) {
  CHECK(host_load() == -1);
}

static const struct scenario scenarios[] = {
    {"read", reads_and_leaves_nothing_open},
    {"cut", objects_that_were_cut_short_are_asked_for_again},
    {"fork", reads_after_the_host_has_forked},
    {"threads", threads_read},
    {"race", processes_race_to_start_the_daemon},
    {"copy-up", what_is_copied_up_carries_its_attributes},
    {"list", the_c_library_can_read_a_directory},
    {"copy-up-later", copies_up_after_the_daemon_died},
    {"eio", opens_end_in_eio},
    {"timeout", opens_time_out},
    {"refused", the_mount_fails},
};

int main(int argc, char **argv) {
  return host_run(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
