/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/server.h"

#include "lazy/loop.h"
#include "lower/damage.h"
#include "lower/handover.h"
#include "lower/namespace.h"
#include "lower/process.h"
#include "shared/mount-api.h"
#include "store/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int set(int context, const char *name, const char *format, unsigned value) {
  char text[16];
  snprintf(text, sizeof text, format, value);
  return crfs_fsconfig_string(context, name, text);
}

/* Its owner alone finds anything, as the modes of its directories have it (`default_permissions`): a look-up has the
 * daemon ask a registry, with the owner's credentials. Containers, whoever they run as, read through an overlay, which
 * looks in as who mounted it. It is not read-only, as containers-storage tells by what it tries to write. */
static int configure(int context, int device) {
  if (crfs_fsconfig_string(context, "source", "crfs") < 0 || crfs_fsconfig_string(context, "subtype", "crfs") < 0 ||
      set(context, "fd", "%u", (unsigned)device) < 0 || set(context, "rootmode", "%o", 040700) < 0 ||
      set(context, "user_id", "%u", geteuid()) < 0 || set(context, "group_id", "%u", getegid()) < 0 ||
      crfs_fsconfig_flag(context, "allow_other") < 0 || crfs_fsconfig_flag(context, "default_permissions") < 0)
    return -1;
  return crfs_fsconfig_create(context);
}

/* Mounts what is served by DEVICE, nowhere yet. Returns a descriptor of its root, or -1 and errno. */
static int mount_store(int device) {
  int context = crfs_fsopen("fuse"), root = -1;
  if (context < 0)
    return -1;
  if (configure(context, device) == 0)
    root = crfs_fsmount(context, CRFS_ATTRIBUTE_NO_SUID | CRFS_ATTRIBUTE_NO_DEV);
  int error = errno;
  close(context);
  errno = error;
  return root;
}

/* Mounts the store, and begins to answer for it. Returns a descriptor of its root, or -1 with FAILURE. */
static int begin(const struct crfs_service *service, struct crfs_store *store, struct crfs_loop *loop,
                 struct crfs_failure *failure) {
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (device < 0)
    return crfs_fail(failure, errno, "/dev/fuse: %s", strerror(errno));
  store->lower.fuse = crfs_store_begin(store, service->merged, service->patience_ns, device);
  if (store->lower.fuse == NULL)
    return crfs_fail(failure, ENOMEM, "out of memory");
  int root = mount_store(device);
  if (root < 0)
    return crfs_fail(failure, errno, "cannot mount a FUSE file system: %s", strerror(errno));
  int error = crfs_loop_begin(loop, store->lower.fuse, device, -1);
  return error == 0 ? root : crfs_fail(failure, error, "cannot make a thread: %s", strerror(error));
}

enum crfs_end crfs_store_run(const struct crfs_service *service, int socket) {
  static struct crfs_store store;
  static struct crfs_loop loop;
  struct crfs_failure failure;
  int root = -1;
  crfs_damage_watch(service->merged);
  crfs_process_raise_limit();
  if (crfs_namespace_leave(service->paths, &failure) == 0)
    root = begin(service, &store, &loop, &failure);
  if (root < 0) {
    crfs_report(service->merged, &failure);
    return CRFS_NO_LAYERS;
  }
  int handed = crfs_handover_give(socket, root);
  close(root);
  if (handed < 0)
    return CRFS_NO_LAYERS;
  crfs_handover_wait(socket);
  crfs_process_leave(service->merged); /* what came here where mounts are shared: this process would keep it */
  if (!service->foreground)
    crfs_process_leave_output();
  crfs_loop_join(&loop);
  fuse_session_destroy(store.lower.fuse);
  return CRFS_SERVED;
}
