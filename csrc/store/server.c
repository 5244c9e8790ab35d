/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/server.h"

#include "lazy/loop.h"
#include "lower/damage.h"
#include "lower/namespace.h"
#include "lower/process.h"
#include "lower/serving.h"
#include "store/operations.h"

/* Mounts the store, and begins to answer for it. Returns a descriptor of its root, or -1 with FAILURE. Its owner alone
 * finds anything there, as the modes of its directories have it: a look-up has the daemon ask a registry, with the
 * owner's credentials. Containers, whoever they run as, read through an overlay, which looks in as who mounted it. */
static int begin(const struct crfs_service *service, struct crfs_store *store, struct crfs_loop *loop,
                 struct crfs_failure *failure) {
  int device = crfs_serving_open(failure);
  if (device < 0)
    return -1;
  store->lower.fuse = crfs_store_begin(store, service->merged, service->patience_ns, device);
  return crfs_serving_begin(loop, store->lower.fuse, device, CRFS_FUSE_STORE, failure);
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
  if (crfs_serving_hand_over(service, socket, root) < 0)
    return CRFS_NO_LAYERS;
  crfs_recent_watch(&store.lower.recent);
  crfs_loop_join(&loop);
  fuse_session_destroy(store.lower.fuse);
  return CRFS_SERVED;
}
