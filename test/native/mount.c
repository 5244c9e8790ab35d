/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A host: loads the plugin as fuse-overlayfs does, over a daemon that the environment makes fail (fake-daemon.c), and
 * looks at what a reader gets. Linked with the plugin.
 *
 * usage: mount SCENARIO BLOB-IN-BASE64 */

#include "native/check.h"
#include "native/sample.h"
#include "plugin/host.h"
#include "shared/ring.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/xattr.h>

struct data_source *plugin_load(const char *opaque, const char *path);
int plugin_release(void);

#define LAYERS 2
#define COPY_UP (O_RDONLY | O_NONBLOCK)

static struct data_source *ds;
static struct ovl_layer l[LAYERS];
static const char *opaque;

static int load(void) {
  ds = plugin_load(opaque, "/tmp");
  int count = ds->num_of_layers(opaque, "/tmp");
  if (count < 0)
    return -1;
  CHECK(count == LAYERS);
  for (int i = 0; i < count; i++) {
    l[i] = (struct ovl_layer){.ds = ds, .fd = -1};
    if (ds->load_data_source(&l[i], opaque, "/tmp", i) < 0)
      return -1;
    CHECK(strcmp(l[i].path, "/tmp") == 0 && (fcntl(l[i].fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  return 0;
}

static void unload(void) {
  for (int i = 0; i < LAYERS; i++) {
    CHECK(ds->cleanup(&l[i]) == 0);
    free(l[i].path);
    close(l[i].fd);
  }
  CHECK(plugin_release() == 0);
}

static int open_to_read(const char *path) {
  return ds->openat(&l[0], path, O_RDONLY | O_NOFOLLOW, 0700);
}

static void check_content(int fd, const char *path) {
  struct stat st, own;
  CHECK(fd >= 0);
  CHECK(ds->statat(&l[0], path, &st, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS) == 0);
  CHECK(fstat(fd, &own) == 0 && own.st_size == st.st_size);
  for (off_t at = 0; at < st.st_size; at++) {
    unsigned char byte;
    CHECK(pread(fd, &byte, 1, at) == 1 && byte == sample_byte(st.st_ino & 0xffffff, (uint64_t)at));
  }
}

static void read_file(const char *path) {
  int fd = open_to_read(path);
  check_content(fd, path);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
  close(fd);
}

static void read_all_files(void) {
  for (size_t i = 0; i < sample_count; i++)
    if (S_ISREG(sample_files[i].mode) && sample_files[i].size > 0)
      read_file(sample_files[i].path);
}

static int cut(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)at;
  return type == FTW_F ? truncate(path, st->st_size / 2) : 0;
}

static void objects_that_were_cut_short_are_asked_for_again(void) {
  char objects[1024];
  snprintf(objects, sizeof objects, "%s/objects", getenv("FAKE_ROOT"));
  CHECK(load() == 0);
  read_all_files();
  CHECK(nftw(objects, cut, 8, FTW_PHYS) == 0);
  read_all_files();
  unload();
}

static int descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static void reads_and_leaves_nothing_open(void) {
  int before = descriptors();
  CHECK(load() == 0);
  read_all_files();
  read_all_files();
  unload();
  CHECK(descriptors() == before);
}

static void reads_after_the_host_has_forked(void) {
  int status;
  CHECK(load() == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    read_all_files();
    unload();
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
  CHECK(load() == 0);
  for (int i = 0; i < 6; i++)
    CHECK(pthread_create(&threads[i], NULL, read_as_a_thread, NULL) == 0);
  for (int i = 0; i < 6; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  unload();
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
      CHECK(load() == 0);
      read_all_files();
      CHECK(write(loaded[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0); /* the daemon ends with its last mount */
      unload();
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
  CHECK(load() == 0);
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
  unload();
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
  CHECK(load() == 0);
  for (int i = 0; i < 2; i++) {
    CHECK(names_in(ds->opendir(&l[0], "etc")) == 5);
    CHECK(names_in(ds->opendir(&l[0], "usr/share/doc")) == 0);
    CHECK(names_in(fdopendir(ds->openat(&l[0], "bin", O_DIRECTORY, 0755))) == 5);
  }
  unload();
}

static void copies_up_after_the_daemon_died(void) {
  CHECK(load() == 0);
  read_file("bin/su");
  read_file("bin/sh");
  CHECK(open_to_read("etc/passwd") >= 0); /* the first daemon dies here */
  int fd = ds->openat(&l[0], "usr/share/doc", COPY_UP, 0755);
  check_attributes(fd, "usr/share/doc");
  CHECK(faccessat(l[0].fd, "usr/share", F_OK, 0) == 0 && faccessat(l[1].fd, "usr/share", F_OK, 0) == 0);
  close(fd);
  unload();
}

static void opens_fail(int expected) {
  CHECK(load() == 0);
  CHECK_ERRNO(open_to_read("bin/sh"), expected);
  CHECK_ERRNO(open_to_read("bin/sh"), expected);
  unload();
}

static void the_mount_fails(void) {
  CHECK(load() == -1);
}

int main(int argc, char **argv) {
  sigset_t signals;
  CHECK(argc == 3);
  opaque = argv[2];
  /* what no daemon may inherit */
  char session[16];
  snprintf(session, sizeof session, "%d", (int)getsid(0));
  setenv("HOST_SESSION", session, 1);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR2);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal(SIGUSR1, SIG_IGN);
  CHECK(fcntl(2, F_DUPFD, 40) >= 0);

  const char *scenario = argv[1];
  if (strcmp(scenario, "read") == 0)
    reads_and_leaves_nothing_open();
  else if (strcmp(scenario, "cut") == 0)
    objects_that_were_cut_short_are_asked_for_again();
  else if (strcmp(scenario, "fork") == 0)
    reads_after_the_host_has_forked();
  else if (strcmp(scenario, "threads") == 0)
    threads_read();
  else if (strcmp(scenario, "race") == 0)
    processes_race_to_start_the_daemon();
  else if (strcmp(scenario, "copy-up") == 0)
    what_is_copied_up_carries_its_attributes();
  else if (strcmp(scenario, "list") == 0)
    the_c_library_can_read_a_directory();
  else if (strcmp(scenario, "copy-up-later") == 0)
    copies_up_after_the_daemon_died();
  else if (strcmp(scenario, "eio") == 0)
    opens_fail(EIO);
  else if (strcmp(scenario, "timeout") == 0)
    opens_fail(ETIMEDOUT);
  else if (strcmp(scenario, "refused") == 0)
    the_mount_fails();
  else
    CHECK(!"a scenario");
  printf("checks %lu\n", checks);
  return 0;
}
