/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/server.h"

#include "lazy/mount.h"
#include "lower/handover.h"
#include "lower/namespace.h"
#include "lower/operations.h"
#include "shared/mount-api.h"

#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 256 /* requests that wait at a time; what comes beyond waits for one of them to end */

/* Answers requests until the mount has gone. */
static void *answer(void *session) {
  struct fuse_session *fuse = session;
#if FUSE_USE_VERSION >= 312
  struct fuse_loop_config *config = fuse_loop_cfg_create();
  if (config == NULL)
    return NULL;
  fuse_loop_cfg_set_max_threads(config, THREADS);
  fuse_session_loop_mt(fuse, config);
  fuse_loop_cfg_destroy(config);
#else
  struct fuse_loop_config config = {.max_idle_threads = THREADS};
  fuse_session_loop_mt(fuse, &config);
#endif
  return NULL;
}

/* Attaches ROOT to MERGED in this namespace alone, and goes there: before Linux 6.15 an overlay takes only what is
 * attached somewhere. Returns 0, or -1 and errno. */
static int enter_layers(int root, const char *merged) {
  int at = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = at >= 0 && crfs_move_mount(root, at) == 0 && fchdir(root) == 0 ? 0 : -1;
  if (at >= 0)
    close(at);
  return result;
}

/* Takes that mount away again: the overlay holds what it needs of it. */
static void leave_layers(const char *merged) {
  if (chdir("/") == 0)
    umount2(merged, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* Makes an overlay of what ROOT is the root of, which is served already. Returns a descriptor of its root, or -1 with
 * FAILURE. */
static int make_overlay(const struct crfs_service *service, uint32_t layers, int root, struct crfs_failure *failure) {
  int made = -1;
  if (enter_layers(root, service->merged) < 0)
    crfs_fail(failure, errno, "cannot mount a FUSE file system: %s", strerror(errno));
  else
    made = crfs_overlay_make(&service->overlay, layers, failure);
  leave_layers(service->merged);
  return made;
}

/* Makes the mount, and the thread that begins to answer for it. Returns a descriptor of its root, or -1 with FAILURE.
 */
static int make_mount(const struct crfs_service *service, struct crfs_lower *lower, pthread_t *thread,
                      struct crfs_failure *failure) {
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0)
    return crfs_fail(failure, errno, "/dev/fuse: %s", strerror(errno));
  struct fuse_session *fuse = crfs_lower_begin(lower, device);
  if (fuse == NULL)
    return crfs_fail(failure, ENOMEM, "out of memory");
  int root = crfs_lazy_mount(device);
  if (root < 0)
    return crfs_fail(failure, errno, "cannot mount a FUSE file system: %s", strerror(errno));
  int error = pthread_create(thread, NULL, answer, fuse);
  if (error != 0)
    return crfs_fail(failure, error, "cannot make a thread: %s", strerror(error));
  int made = make_overlay(service, lower->tree.count, root, failure);
  close(root);
  return made;
}

/* Files that are read are kept open: as many as this process may have. */
static void raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* Lets go of the terminal, or the pipe, of whoever started it. */
static void leave_output(void) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    dup2(nothing, fd);
  close(nothing);
}

enum crfs_end crfs_server_run(const struct crfs_service *service, int socket) {
  static struct crfs_lower lower;
  struct crfs_failure failure;
  pthread_t thread;
  if (crfs_namespace_leave(&failure) < 0) {
    crfs_report(service->merged, &failure);
    return CRFS_NO_OVERLAY;
  }
  if (crfs_tree_load(&lower.tree, service->asked, service->merged, service->overlay.below[0] != NULL, &failure) < 0) {
    crfs_report(service->asked, &failure);
    return CRFS_NO_LAYERS;
  }
  raise_limit();
  int root = make_mount(service, &lower, &thread, &failure);
  if (root < 0) {
    crfs_report(service->merged, &failure);
    return CRFS_NO_OVERLAY;
  }
  int handed = crfs_handover_give(socket, root);
  close(root);
  if (handed < 0)
    return CRFS_NO_OVERLAY;
  if (!service->foreground)
    leave_output();
  pthread_join(thread, NULL);
  return CRFS_SERVED;
}
