/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/server.h"

#include "lazy/loop.h"
#include "lower/adopt.h"
#include "lower/beneath.h"
#include "lower/damage.h"
#include "lower/lowers.h"
#include "lower/namespace.h"
#include "lower/operations.h"
#include "lower/process.h"
#include "lower/published.h"
#include "lower/serving.h"
#include "shared/mount-api.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define QUIET 1 /* seconds without a request, after which nobody is held up by the making of stubs */

/* Attaches ROOT to MERGED in this namespace alone, and goes there: before Linux 6.15 an overlay takes only what is
 * attached somewhere. Returns 0, or -1 and errno. */
static int enter_layers(int root, const char *merged) {
  int at = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = at >= 0 && crfs_move_mount(root, at) == 0 && fchdir(root) == 0 ? 0 : -1;
  if (at >= 0)
    close(at);
  return result;
}

/* Whether this kernel, and these rights, take stubs: since Linux 6.16. Tried with what is in the directory that is
 * current. */
static int takes_stubs(int trusted) {
  const char *const lower[] = {"0", CRFS_LOWER_EMPTY, NULL}, *const data[] = {CRFS_LOWER_OBJECTS, NULL};
  char *options[] = {NULL};
  struct crfs_failure ignored;
  const struct crfs_overlay overlay = {.lower = lower, .data = data, .options = options, .trusted = trusted};
  int root = crfs_overlay_make(&overlay, &ignored);
  if (root >= 0)
    close(root);
  return root >= 0;
}

/* Makes OVERLAY of what LOWERS lists. */
static int make_of(struct crfs_overlay *overlay, struct crfs_lowers *lowers, struct crfs_failure *failure) {
  overlay->lower = lowers->lower;
  overlay->data = lowers->data;
  int made = crfs_overlay_make(overlay, failure);
  crfs_lowers_free(lowers);
  return made;
}

/* With stubs, where they are there and this kernel takes them; else without, and it is noted whether they are to be
 * made for later. */
static int make_overlay(const struct crfs_service *service, struct crfs_lower *lower, struct crfs_failure *failure) {
  struct crfs_overlay overlay = {.upper = service->upper,
                                 .work = service->work,
                                 .options = service->options,
                                 .trusted = crfs_overlay_has_trusted_attributes()};
  struct crfs_lowers lowers;
  enum crfs_stubs_state state = CRFS_STUBS_IMPOSSIBLE;
  struct crfs_stubs_found found;
  int made = -1, alone = service->upper == NULL;
  if (!alone && crfs_adopt(service->upper, service->work, overlay.trusted, failure) < 0)
    return -1;
  if (crfs_stubs_begin(&lower->stubs, &lower->tree, overlay.trusted) == 0)
    state = crfs_stubs_find(&lower->stubs, &found);
  if (state == CRFS_STUBS_THERE && crfs_lowers_stubs(&lowers, &lower->stubs, &found, alone) == 0)
    made = make_of(&overlay, &lowers, failure);
  if (made >= 0) {
    crfs_session_set_unseen(&lower->tree.session);
    lower->uses_stubs = 1;
    return made;
  }
  if (crfs_lowers_layers(&lowers, &lower->tree, service->below, alone) < 0)
    return crfs_fail(failure, ENOMEM, "out of memory");
  made = make_of(&overlay, &lowers, failure);
  lower->wants_stubs = made >= 0 && state == CRFS_STUBS_MISSING && takes_stubs(overlay.trusted);
  return made;
}

/* The same of what ROOT is the root of, which is served already. Returns a descriptor of its root, or -1 with FAILURE.
 */
static int make_overlay_of(int root, const struct crfs_service *service, struct crfs_lower *lower,
                           struct crfs_failure *failure) {
  int made = -1;
  if (enter_layers(root, service->merged) < 0)
    crfs_fail(failure, errno, "cannot mount a FUSE file system: %s", strerror(errno));
  else
    made = make_overlay(service, lower, failure);
  crfs_process_leave(service->merged); /* an overlay holds what it needs of it */
  return made;
}

/* Makes the mount, and begins to answer for it. Returns a descriptor of its root, or -1 with FAILURE. */
static int make_mount(const struct crfs_service *service, struct crfs_lower *lower, struct crfs_loop *loop,
                      struct crfs_failure *failure) {
  int device = crfs_serving_open(failure);
  if (device < 0)
    return -1;
  lower->fuse = crfs_lower_begin(lower, device);
  int root = crfs_serving_begin(loop, lower->fuse, device, CRFS_FUSE_LAYERS, failure);
  if (root < 0)
    return -1;
  int made = make_overlay_of(root, service, lower, failure);
  close(root);
  return made;
}

/* Waits until the kernel has asked for nothing for a moment, or the mount has gone. */
static void wait_for_quiet(struct crfs_lower *lower) {
  uint32_t before;
  int gone;
  do {
    struct timespec until;
    before = __atomic_load_n(&lower->requests, __ATOMIC_RELAXED);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += QUIET;
    gone = sem_timedwait(&lower->gone, &until) == 0;
  } while (!gone && __atomic_load_n(&lower->requests, __ATOMIC_RELAXED) != before);
}

/* Lets all others go first who want a processor or the disk. Of this thread alone: sched(7), ioprio_set(2). */
static void stay_behind(void) {
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 10);
  syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 7);
}

static void *check_published(void *argument) {
  const struct crfs_lower *lower = argument;
  stay_behind();
  crfs_published_check(lower->stubs.objects, &lower->tree);
  return NULL;
}

/* Makes stubs for later mounts. */
static void *make_stubs(void *argument) {
  struct crfs_lower *lower = argument;
  wait_for_quiet(lower);
  stay_behind();
  crfs_stubs_sweep(&lower->stubs);
  crfs_stubs_make(&lower->stubs, &lower->tree);
  return NULL;
}

enum crfs_end crfs_server_run(struct crfs_service *service, int socket) {
  static struct crfs_lower lower;
  static struct crfs_loop loop;
  struct crfs_failure failure;
  pthread_t maker, checker;
  if (crfs_namespace_leave(service->paths, &failure) < 0) {
    crfs_report(service->merged, &failure);
    return CRFS_NO_OVERLAY;
  }
  crfs_beneath_hold(service);
  if (crfs_tree_load(&lower.tree, service->asked, service->merged, service->below, &failure) < 0) {
    crfs_report(service->asked, &failure);
    return CRFS_NO_LAYERS;
  }
  crfs_damage_watch(service->asked);
  crfs_process_raise_limit();
  int root = make_mount(service, &lower, &loop, &failure);
  if (root < 0) {
    crfs_report(service->merged, &failure);
    return CRFS_NO_OVERLAY;
  }
  if (crfs_serving_hand_over(service, socket, root) < 0)
    return CRFS_NO_OVERLAY;
  crfs_recent_watch(&lower.recent);
  sem_init(&lower.gone, 0, 0);
  int makes = lower.wants_stubs && pthread_create(&maker, NULL, make_stubs, &lower) == 0;
  if (lower.uses_stubs && pthread_create(&checker, NULL, check_published, &lower) == 0)
    pthread_detach(checker); /* it may end in the middle */
  crfs_loop_join(&loop);
  sem_post(&lower.gone);
  if (makes) {
    prctl(PR_SET_NAME, "crfs-stubs"); /* who asks which mounts are served, and from where, need not wait for it */
    pthread_join(maker, NULL);
  }
  fuse_session_destroy(lower.fuse);
  return CRFS_SERVED;
}
