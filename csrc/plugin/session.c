/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/session.h"

#include "client/timeout.h"
#include "plugin/mountpoint.h"

#include <stdbool.h>

static struct crfs_session session;
static struct crfs_lazy lazy;
static bool begun;

/* In the child of a fork. The host goes into the background by one, after it has loaded the layers: the child is the
 * mount from then on. Other forks exec at once, and find the connection gone, or tell of a process that soon ends: the
 * daemon looks whether it lives. */
static void show_child(void) {
  if (begun)
    crfs_session_show_process(&session);
}

struct crfs_session *crfs_plugin_session(struct crfs_failure *failure) {
  static bool watched;
  char mountpoint[PATH_MAX];
  struct crfs_front_end front_end = {.mountpoint = mountpoint, .object = &session};
  if (begun)
    return &session;
  crfs_mountpoint(mountpoint);
  if (crfs_timeout_read(&front_end.timeout_ns, failure) < 0 || crfs_session_begin(&session, &front_end, failure) < 0)
    return NULL;
  if (!watched)
    pthread_atfork(NULL, NULL, show_child);
  crfs_lazy_begin(&lazy, &session);
  begun = watched = true;
  return &session;
}

struct crfs_lazy *crfs_plugin_lazy(void) {
  return &lazy;
}

void crfs_plugin_session_end(void) {
  if (begun)
    crfs_session_end(&session);
  begun = false;
}
