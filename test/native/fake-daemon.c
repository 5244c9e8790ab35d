/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A daemon that serves the sample, and can be told to fail. Runs as `fake-daemon daemon --ready-fd 3`, with
 *
 *   FAKE_ROOT   a directory for its objects, and for `starts`, which counts by its size how often one came up
 *   FAKE        what it does wrong: "first-..." only the first daemon does.
 *
 * When it holds a request up, it makes FAKE_ROOT/held, and answers once there is a FAKE_ROOT/gate. */

#include "native/fake-daemon.h"
#include "native/sample.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MOUNTS 64

struct fake_daemon fake = {.fault = ""};
static struct mount mounts[MOUNTS];
static int mount_count;

void need(int condition, const char *what) {
  if (condition)
    return;
  dprintf(2, "fake daemon: %s: %s\n", what, strerror(errno));
  exit(1);
}

int fault(const char *name) {
  if (strncmp(fake.fault, "first-", 6) == 0)
    return fake.generation == 1 && strcmp(fake.fault + 6, name) == 0;
  return strcmp(fake.fault, name) == 0;
}

static int listen_on_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/crfs-plugin/control.sock", getenv("XDG_CACHE_HOME"));
  int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  unlink(address.sun_path);
  need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  if (fault("foreign"))
    need(seteuid(65534) == 0, "seteuid");
  need(listen(listener, MOUNTS) == 0, "listen");
  need(seteuid(getuid()) == 0, "seteuid");
  return listener;
}

static void prepare(void) {
  static _Alignas(8) char bytes[SAMPLE_SIZE];
  const char *directory = getenv("FAKE_ROOT");
  fake.root = open(directory, O_RDONLY | O_DIRECTORY);
  need(fake.root >= 0, "FAKE_ROOT");
  int lock = openat(fake.root, "lock", O_RDWR | O_CREAT, 0600);
  if (flock(lock, LOCK_EX | LOCK_NB) < 0)
    exit(0);
  int starts = openat(fake.root, "starts", O_WRONLY | O_CREAT | O_APPEND, 0600);
  struct stat st;
  need(write(starts, "+", 1) == 1 && fstat(starts, &st) == 0, "starts");
  fake.generation = (int)st.st_size;
  mkdirat(fake.root, "objects", 0700);
  mkdirat(fake.root, "drafts", 0700);
  mkdirat(fake.root, "tmp", 0700);
  size_t size = sample_index(bytes);
  fake.sample = (const struct crfs_index *)bytes;
  fake.index_fd = memfd_create("index", 0);
  need(write(fake.index_fd, bytes, size) == (ssize_t)size, "index");
  fake.bell_fd = memfd_create("bell", 0);
  need(ftruncate(fake.bell_fd, sizeof(struct crfs_doorbell)) == 0, "doorbell");
}

/* Complains about what it should not have inherited. */
static void check_heritage(void) {
  sigset_t blocked;
  char cwd[8];
  for (int fd = 4; fd < 64; fd++)
    need(fcntl(fd, F_GETFD) < 0, "an inherited descriptor");
  need(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, SIGUSR2) == 0, "a blocked signal");
  need(signal(SIGUSR1, SIG_DFL) == SIG_DFL, "an ignored signal");
  need(getsid(0) != atoi(getenv("HOST_SESSION")), "the session");
  need(getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0, "the working directory");
  need(umask(0) == 077, "the umask");
  need(getenv("CRFS_CREDS") == NULL, "a password for one mount");
}

int main(int argc, char **argv) {
  if (getenv("FAKE") != NULL)
    fake.fault = getenv("FAKE");
  need(argc == 4 && strcmp(argv[1], "daemon") == 0 && strcmp(argv[2], "--ready-fd") == 0 && strcmp(argv[3], "3") == 0,
       "arguments");
  check_heritage();
  need(!fault("no-start"), "this one never starts");
  prepare();
  int listener = listen_on_socket();
  need(write(3, "ready\n", 6) == 6, "ready");
  close(3);
  close(2);
  /* until all mounts are gone; a first one has a while to come */
  for (int idle = 0, seen = 0; idle < 60000 && (!seen || mount_count > 0); idle++) {
    struct pollfd wait[MOUNTS + 1] = {{.fd = listener, .events = POLLIN}};
    for (int i = 0; i < mount_count; i++)
      wait[i + 1] = (struct pollfd){.fd = mounts[i].socket, .events = POLLIN};
    poll(wait, (nfds_t)mount_count + 1, 1);
    for (int i = mount_count - 1; i >= 0; i--) {
      serve(&mounts[i]);
      if (wait[i + 1].revents != 0 && !converse(&mounts[i])) {
        close(mounts[i].socket);
        mounts[i] = mounts[--mount_count];
      }
    }
    if (wait[0].revents != 0 && mount_count < MOUNTS) {
      mounts[mount_count++] = (struct mount){.socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
      seen = 1;
    }
    if (mount_count > 0)
      idle = 0;
  }
  return 0;
}
