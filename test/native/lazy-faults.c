/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What becomes of lazy reads when something goes wrong: readers and hosts that are killed while they wait, mounts that
 * end, workers that fail, sandboxes in which no mount can be made.
 *
 * usage: lazy-faults SCENARIO BLOB-IN-BASE64 */

#include "native/lazy-reads.h"
#include "plugin/session.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void a_reader_that_waits_can_be_killed(void) {
  int status;
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  pid_t reader = fork();
  CHECK(reader >= 0);
  if (reader == 0) {
    char byte;
    _exit(pread(fd, &byte, 1, THIRD) < 0);
  }
  wait_until_held(1);
  CHECK(kill(reader, SIGKILL) == 0 && waitpid(reader, &status, 0) == reader && WIFSIGNALED(status));
  open_gate();
  check_content(fd, BIG);
  close(fd);
  host_unload();
}

static void a_host_whose_reader_waits_can_be_killed(void) {
  int status;
  pid_t host = fork();
  CHECK(host >= 0);
  if (host == 0) {
    char byte;
    CHECK(host_load() == 0);
    int fd = open_lazily(BIG);
    pread(fd, &byte, 1, THIRD);
    _exit(0);
  }
  wait_until_held(1);
  CHECK(kill(host, SIGKILL) == 0 && waitpid(host, &status, 0) == host && WIFSIGNALED(status));
}

static void *fail_to_read_third(void *fd) {
  char byte;
  CHECK(pread(*(int *)fd, &byte, 1, THIRD) == -1);
  return NULL;
}

static void a_mount_ends_while_a_reader_waits(void) {
  pthread_t waits;
  char byte;
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  CHECK(pthread_create(&waits, NULL, fail_to_read_third, &fd) == 0);
  wait_until_held(1);
  host_unload();
  CHECK(pthread_join(waits, NULL) == 0);
  CHECK_ERRNO(pread(fd, &byte, 1, 0), ENOTCONN);
  close(fd);
}

static void reads_fail(int expected) {
  char byte;
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  CHECK_ERRNO(pread(fd, &byte, 1, 0), expected);
  CHECK_ERRNO(pread(fd, &byte, 1, BIG_SIZE - 1), expected);
  close(fd);
  host_unload();
}

static void reads_end_in_eio(void) {
  reads_fail(EIO);
}

static void reads_find_no_space(void) {
  reads_fail(ENOSPC);
}

static void reads_time_out(void) {
  reads_fail(ETIMEDOUT);
}

static int no_room; /* for the descriptors of a connection, on their way from one table to another */

/* In place of libc's. */
ssize_t sendmsg(int socket, const struct msghdr *packet, int flags) {
  const struct cmsghdr *rights = CMSG_FIRSTHDR(packet);
  if (!no_room || rights == NULL || rights->cmsg_len != CMSG_LEN(CRFS_CONNECTION_FDS * sizeof(int)))
    return syscall(SYS_sendmsg, socket, packet, flags);
  errno = ETOOMANYREFS;
  return -1;
}

static void reads_fail_while_nothing_can_be_lent(void) {
  alarm(60); /* rather than wait for ever */
  no_room = 1;
  reads_fail(EIO);
}

/* As in a sandbox that keeps mounts away. */
static void forbid_fsopen(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 430, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void without_a_mount_opens_wait(void) {
  struct crfs_failure failure;
  int before = descriptors();
  forbid_fsopen();
  CHECK(host_load() == 0);
  int fd = open_to_read(BIG);
  CHECK(!is_lazy(fd));
  close(fd);
  const struct crfs_ring *ring = crfs_plugin_session(&failure)->current->ring;
  CHECK(ring->lazy == CRFS_LAZY_IMPOSSIBLE && ring->lazy_error == EPERM && ring->lazy_opens == 0 && ring->misses == 1);
  read_all_files();
  host_unload();
  CHECK(descriptors() == before);
}

static const struct scenario scenarios[] = {
    {"reader-killed", a_reader_that_waits_can_be_killed},
    {"host-killed", a_host_whose_reader_waits_can_be_killed},
    {"ends", a_mount_ends_while_a_reader_waits},
    {"impossible", without_a_mount_opens_wait},
    {"eio", reads_end_in_eio},
    {"enospc", reads_find_no_space},
    {"timeout", reads_time_out},
    {"no-loan", reads_fail_while_nothing_can_be_lent},
};

int main(int argc, char **argv) {
  return host_run(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
