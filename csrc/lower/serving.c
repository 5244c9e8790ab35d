/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/serving.h"

#include "lazy/loop.h"
#include "lower/handover.h"
#include "lower/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int crfs_serving_open(struct crfs_failure *failure) {
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  return device >= 0 ? device : crfs_fail(failure, errno, "/dev/fuse: %s", strerror(errno));
}

int crfs_serving_begin(struct crfs_loop *loop, struct fuse_session *fuse, int device, enum crfs_fuse_kind kind,
                       struct crfs_failure *failure) {
  if (fuse == NULL)
    return crfs_fail(failure, ENOMEM, "out of memory");
  int root = crfs_lazy_mount(device, kind);
  if (root < 0)
    return crfs_fail(failure, errno, "cannot mount a FUSE file system: %s", strerror(errno));
  int error = crfs_loop_begin(loop, fuse, device, -1);
  return error == 0 ? root : crfs_fail(failure, error, "cannot make a thread: %s", strerror(error));
}

int crfs_serving_hand_over(const struct crfs_service *service, int socket, int root) {
  int handed = crfs_handover_give(socket, root);
  close(root);
  if (handed < 0)
    return -1;
  crfs_handover_wait(socket);
  crfs_process_leave(service->merged); /* what came here where mounts are shared: this process would keep it */
  if (!service->foreground)
    crfs_process_leave_output();
  return 0;
}
