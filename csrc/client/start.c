/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/start.h"

#include "client/descriptors.h"
#include "shared/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_FD 3
#define STACK 65536     /* bytes for each child */
#define PREFIX "crfs: " /* of what the command says */

/* What sanitizers know of the stack and of the process is not true of a child. */
#define UNWATCHED __attribute__((no_sanitize("address", "thread", "undefined")))

/* Our environment without a password for this mount, which the daemon may outlive. Returns NULL without memory, or what
 * the caller frees. */
static char **daemon_environment(void) {
  static const char secret[] = "CRFS_CREDS=";
  size_t count = 0;
  while (environ[count] != NULL)
    count++;
  char **kept = calloc(count + 1, sizeof *kept), **next = kept;
  for (char **entry = environ; kept != NULL && *entry != NULL; entry++)
    if (strncmp(*entry, secret, sizeof secret - 1) != 0)
      *next++ = *entry;
  return kept;
}

/* Both children share the memory of this process, whose calling thread waits meanwhile, as after vfork. A fork would
 * not do: it makes pages copy-on-write, and then what another thread of the host writes to a page that it has spliced
 * into a pipe, as libfuse does with the headers of its answers, is not in the pipe. */
struct children {
  const char *command;
  int pipe;
  char *const *environment;
  char stacks[2][STACK] __attribute__((aligned(16)));
};

static pid_t make_child(int (*run)(void *), struct children *children, int stack) {
#ifdef __SANITIZE_THREAD__ /* which knows of no children that share memory */
  (void)stack;
  pid_t child = fork();
  return child == 0 ? run(children) : child;
#else
  return clone(run, children->stacks[stack] + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, children);
#endif
}

/* In the child of a child of a threaded process: nothing here but what may be called in a signal handler. */
UNWATCHED static int run_daemon(void *argument) {
  const struct children *children = argument;
  const int pipe = children->pipe;
  static const char trouble[] = "cannot be run; is its interpreter installed?\n";
  const struct sigaction standard = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int number = 1; number < NSIG; number++)
    sigaction(number, &standard, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);

  int report = fcntl(pipe, F_DUPFD, READY_FD + 1);
  int null = open("/dev/null", O_RDWR);
  if (report < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(report, STDERR_FILENO) < 0 || dup2(report, READY_FD) < 0)
    _exit(127);
  crfs_descriptors_close(READY_FD + 1, UINT_MAX);
  umask(077);
  if (chdir("/") == 0)
    execle(children->command, children->command, "daemon", "--ready-fd", "3", (char *)NULL, children->environment);
  if (write(STDERR_FILENO, trouble, sizeof trouble - 1) < 0)
    _exit(126);
  _exit(127);
}

UNWATCHED static int leave_session(void *argument) {
  setsid();
  make_child(run_daemon, argument, 1);
  _exit(0);
}

static int spawn(const char *command, int pipe, struct crfs_failure *failure) {
  char **environment = daemon_environment();
  if (environment == NULL)
    return crfs_fail(failure, ENOMEM, "out of memory");
  struct children *children = malloc(sizeof *children);
  sigset_t all, before;
  pid_t child = -1;
  int error = ENOMEM;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* the host's handlers must not run in a child */
  if (children != NULL) {
    children->command = command;
    children->pipe = pipe;
    children->environment = environment;
    child = make_child(leave_session, children, 0);
    error = errno;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  free(children);
  free(environment);
  if (child < 0)
    return crfs_fail(failure, error, "cannot start the daemon: clone: %s", strerror(error));
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    ;
  return 0;
}

static enum crfs_start report_late(const char *command, const char *said, struct crfs_failure *failure) {
  if (said[0] != '\0')
    crfs_fail(failure, ETIMEDOUT, "the daemon did not start in time: %s", said);
  else
    crfs_fail(failure, ETIMEDOUT, "%.300s did not become ready in time; see its log, or run `crfs daemon --foreground`",
              command);
  return CRFS_NOT_STARTED;
}

/* Reads what the daemon says until it says "ready" or closes its end. */
static enum crfs_start wait_until_ready(const char *command, int pipe, uint64_t deadline_ns,
                                        struct crfs_failure *failure) {
  char line[768], first[sizeof line] = "";
  const char *said = first;
  size_t length = 0;
  for (;;) {
    uint64_t now = crfs_now_ns();
    struct pollfd wait = {.fd = pipe, .events = POLLIN};
    int timeout = now >= deadline_ns ? 0 : (int)((deadline_ns - now) / 1000000 + 1);
    int polled = poll(&wait, 1, timeout);
    if (polled < 0 && errno == EINTR)
      continue;
    if (polled <= 0 || now >= deadline_ns)
      return report_late(command, said, failure);
    char c;
    ssize_t got = read(pipe, &c, 1);
    if (got < 0 && errno == EINTR)
      continue;
    if (got == 1 && c != '\n') {
      if (length < sizeof line - 1)
        line[length++] = c;
      continue;
    }
    line[length] = '\0';
    if (strcmp(line, "ready") == 0)
      return CRFS_STARTED;
    if (first[0] == '\0') {
      memcpy(first, line, length + 1);
      said = strncmp(first, PREFIX, sizeof PREFIX - 1) == 0 ? first + sizeof PREFIX - 1 : first;
    }
    length = 0;
    if (got > 0)
      continue;
    if (first[0] == '\0')
      return CRFS_RUNS_ALREADY; /* a daemon that finds another one running says nothing */
    crfs_fail(failure, EIO, "the daemon did not start: %s", said);
    return CRFS_NOT_STARTED;
  }
}

enum crfs_start crfs_daemon_start(struct crfs_command *command, uint64_t deadline_ns, struct crfs_failure *failure) {
  int ends[2];
  if (crfs_command_find(command, failure) < 0)
    return CRFS_NOT_STARTED;
  if (pipe2(ends, O_CLOEXEC) < 0) {
    crfs_fail(failure, errno, "cannot start the daemon: pipe: %s", strerror(errno));
    return CRFS_NOT_STARTED;
  }
  int spawned = spawn(command->path, ends[1], failure);
  close(ends[1]);
  enum crfs_start result =
      spawned < 0 ? CRFS_NOT_STARTED : wait_until_ready(command->path, ends[0], deadline_ns, failure);
  close(ends[0]);
  return result;
}
