/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/host.h"
#include "native/check.h"
#include "native/sample.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

struct data_source *plugin_load(const char *opaque, const char *path);
int plugin_release(void);

struct data_source *ds;
struct ovl_layer l[LAYERS];
static const char *opaque;

/* Begins as a process from which no daemon may inherit anything: other descriptors, a blocked and an ignored signal. */
static void begin(const char *named) {
  char session[16];
  sigset_t signals;
  opaque = named;
  snprintf(session, sizeof session, "%d", (int)getsid(0));
  setenv("HOST_SESSION", session, 1);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR2);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal(SIGUSR1, SIG_IGN);
  CHECK(fcntl(2, F_DUPFD, 40) >= 0);
}

int host_run(int argc, char **argv, const struct scenario *scenarios, size_t count) {
  int runs = 0;
  CHECK(argc == 3);
  begin(argv[2]);
  for (size_t i = 0; i < count; i++)
    if (strcmp(argv[1], scenarios[i].name) == 0) {
      scenarios[i].run();
      runs++;
    }
  CHECK(runs == 1);
  printf("checks %lu\n", checks);
  return 0;
}

int host_load(void) {
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

void host_unload(void) {
  for (int i = 0; i < LAYERS; i++) {
    CHECK(ds->cleanup(&l[i]) == 0);
    free(l[i].path);
    close(l[i].fd);
  }
  CHECK(plugin_release() == 0);
}

int open_to_read(const char *path) {
  return ds->openat(&l[0], path, O_RDONLY | O_NOFOLLOW, 0700);
}

void check_content(int fd, const char *path) {
  struct stat st, own;
  CHECK(fd >= 0);
  CHECK(ds->statat(&l[0], path, &st, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS) == 0);
  CHECK(fstat(fd, &own) == 0 && own.st_size == st.st_size);
  unsigned char bytes[999]; /* no part of a chunk: some reads touch two */
  ssize_t got;
  for (off_t at = 0; at < st.st_size; at += got) {
    got = pread(fd, bytes, sizeof bytes, at);
    CHECK(got > 0);
    for (ssize_t n = 0; n < got; n++)
      CHECK(bytes[n] == sample_byte(st.st_ino & 0xffffff, (uint64_t)(at + n)));
  }
}

void read_file(const char *path) {
  int fd = open_to_read(path);
  check_content(fd, path);
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
  close(fd);
}

void read_all_files(void) {
  for (size_t i = 0; i < sample_count; i++)
    if (S_ISREG(sample_files[i].mode) && sample_files[i].size > 0)
      read_file(sample_files[i].path);
}

int descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}
