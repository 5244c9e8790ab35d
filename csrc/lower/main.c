/* SPDX-License-Identifier: GPL-3.0-or-later */

/* crfs-lower: mounts layers with the kernel's overlay, and serves what that reads of them; or mounts a store of layers.
 * `crfs mount` and `crfs store` run it. */

#include "client/connection.h"
#include "client/report.h"
#include "client/timeout.h"
#include "lazy/answer.h"
#include "lower/handover.h"
#include "lower/namespace.h"
#include "lower/server.h"
#include "shared/mount-api.h"
#include "store/server.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: crfs-lower [--foreground] [--lower DIR]... [--upper DIR --work DIR] [--option NAME[=VALUE]]... "
    "CONFIG MERGED\n"
    "       crfs-lower --store SECONDS [--foreground] DIR\n"
    "       crfs-lower --daemon\n"
    "       crfs-lower --version\n"
    "Mounts the layers of CONFIG at MERGED with the kernel's overlay, and serves them; or a store of layers at DIR, "
    "where\n"
    "a look-up waits so long for a registry. With --daemon, starts the daemon if none runs. With --version, tells that "
    "of libfuse. All paths are absolute.\n"
    "For people there are `crfs mount` and `crfs store`.\n";

#define WRONG_USAGE 2
#define LONGEST_PATIENCE 3600 /* seconds */

/* Seconds in decimal. Returns whether they are. */
static int parse_patience(const char *text, uint64_t *patience_ns) {
  char *end;
  const double seconds = strtod(text, &end);
  *patience_ns = seconds >= 0 && seconds <= LONGEST_PATIENCE ? (uint64_t)(seconds * 1e9) : 0;
  return end != text && *end == '\0' && *patience_ns > 0;
}

static int parse(struct crfs_service *service, int argc, char **argv) {
  static const struct option known[] = {{"foreground", no_argument, NULL, 'f'},
                                        {"lower", required_argument, NULL, 'l'},
                                        {"upper", required_argument, NULL, 'u'},
                                        {"work", required_argument, NULL, 'w'},
                                        {"option", required_argument, NULL, 'o'},
                                        {"store", required_argument, NULL, 's'},
                                        {NULL, 0, NULL, 0}};
  const char **below = calloc((size_t)argc + 1, sizeof *below);
  const char **paths = calloc((size_t)argc + 1, sizeof *paths);
  char **options = calloc((size_t)argc + 1, sizeof *options);
  size_t belows = 0, count = 0, needed = 0;
  int option;
  if (below == NULL || paths == NULL || options == NULL)
    return -1;
  while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0)
    switch (option) {
    case 'f':
      service->foreground = 1;
      break;
    case 'l':
      paths[needed++] = below[belows++] = optarg;
      break;
    case 'u':
      paths[needed++] = service->upper = optarg;
      break;
    case 'w':
      paths[needed++] = service->work = optarg;
      break;
    case 'o':
      options[count++] = optarg;
      break;
    case 's':
      if (!parse_patience(optarg, &service->patience_ns))
        return -1;
      break;
    default:
      return -1;
    }
  const int is_store = service->patience_ns > 0;
  if (argc - optind != (is_store ? 1 : 2) || argv[argc - 1][0] != '/' ||
      (service->upper == NULL) != (service->work == NULL) || (is_store && needed + count > 0))
    return -1;
  if (!is_store)
    paths[needed++] = service->asked = argv[optind];
  paths[needed] = service->merged = argv[argc - 1];
  service->below = below;
  service->paths = paths;
  service->options = options;
  return 0;
}

/* Begins anew with what `crfs mount` tells in the environment, unless it did: /proc/PID/environ shows that to others,
 * and it only shows what a program began with. */
static void introduce_itself(const char *driver, char **argv) {
  char namespace[64] = "", program[PATH_MAX] = "";
  if (getenv("CRFS_MOUNT_NAMESPACE") != NULL || readlink("/proc/self/ns/mnt", namespace, sizeof namespace - 1) < 0 ||
      readlink("/proc/self/exe", program, sizeof program - 1) < 0)
    return;
  setenv("CRFS_MOUNT_DRIVER", driver, 1);
  setenv("CRFS_MOUNT_NAMESPACE", namespace, 1);
  execv(program, argv);
}

static int fail(const char *merged, const char *what) {
  struct crfs_failure failure;
  crfs_fail(&failure, errno, "%s: %s", what, strerror(errno));
  crfs_report(merged, &failure);
  return CRFS_NO_OVERLAY;
}

/* In the child of PARENT, with which it ends until it has given the mount to it: serves, away from the terminal that
 * this was started from. */
static void serve(struct crfs_service *service, int socket, pid_t parent) {
  sigset_t none;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(CRFS_NO_LAYERS);
  sigemptyset(&none);
  setsid();
  sigprocmask(SIG_SETMASK, &none, NULL);
  exit((int)(service->asked == NULL ? crfs_store_run(service, socket) : crfs_server_run(service, socket)));
}

static int status_of(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return CRFS_NO_LAYERS;
  return WIFEXITED(status) ? WEXITSTATUS(status) : CRFS_NO_LAYERS;
}

/* Waits until the server has ended, with the mount, which a signal takes away. */
static int stay(const char *merged, pid_t child, const sigset_t *signals) {
  int signal;
  do {
    sigwait(signals, &signal);
    if (signal != SIGCHLD)
      umount2(merged, MNT_DETACH | UMOUNT_NOFOLLOW);
  } while (signal != SIGCHLD);
  return status_of(child);
}

/* Only as root, of a user namespace at least: the mount of an ordinary user is made by another process, in podman's.
 * From a copy of the mount namespace, as a server would, where that can be. Not where the mount would come to that
 * copy, too, and so outlive its namespace: servers take it out of theirs, in which they start daemons. */
static int prepare_daemon(void) {
  static struct crfs_command command = {.near = usage};
  static const char *const paths[] = {NULL};
  uint64_t timeout_ns;
  struct crfs_failure ignored;
  if (geteuid() != 0 || crfs_namespace_outlived() || crfs_timeout_read(&timeout_ns, &ignored) < 0)
    return 0;
  crfs_namespace_leave(paths, &ignored);
  crfs_connection_prepare(&command, timeout_ns);
  return 0;
}

int main(int argc, char **argv) {
  static struct crfs_service service;
  sigset_t signals;
  int pair[2];
  if (argc == 2 && strcmp(argv[1], "--daemon") == 0)
    return prepare_daemon();
  if (argc == 2 && strcmp(argv[1], "--version") == 0)
    return puts(fuse_pkgversion()) < 0;
  if (parse(&service, argc, argv) < 0) {
    fputs(usage, stderr);
    return WRONG_USAGE;
  }
  introduce_itself(service.asked == NULL ? "store" : "overlay", argv);
  prctl(PR_SET_PDEATHSIG, SIGTERM); /* a command that was killed wants no mount any more */
  const char *merged = service.merged;
  int at = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0)
    return fail(merged, "cannot mount there");
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return fail(merged, "cannot make a pair of sockets");
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  pid_t self = getpid(), child = fork();
  if (child < 0)
    return fail(merged, "cannot make a process");
  if (child == 0) {
    close(at);
    close(pair[0]);
    serve(&service, pair[1], self);
  }
  close(pair[1]);
  int root = crfs_handover_take(pair[0]);
  if (root < 0)
    return status_of(child);
  /* before, a signal ends this process, and then the server finds nobody to give the mount to */
  for (const int *signal = (const int[]){SIGHUP, SIGINT, SIGTERM, 0}; *signal != 0; signal++)
    sigaddset(&signals, *signal);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  prctl(PR_SET_PDEATHSIG, 0);
  if (crfs_move_mount(root, at) < 0)
    return fail(merged, "cannot mount there");
  close(pair[0]); /* which the server waits for */
  close(root);
  close(at);
  return service.foreground ? stay(merged, child, &signals) : 0;
}
