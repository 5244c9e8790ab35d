/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/answer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct fuse_session *crfs_answer_begin(const struct fuse_lowlevel_ops *operations, void *userdata, int device) {
  char place[32], name[] = "crfs", *words[] = {name, NULL};
  struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
  struct fuse_session *fuse = fuse_session_new(&arguments, operations, sizeof *operations, userdata);
  fuse_opt_free_args(&arguments);
  if (fuse == NULL)
    return NULL;
  snprintf(place, sizeof place, "/dev/fd/%d", device);
  if (fuse_session_mount(fuse, place) == 0)
    return fuse;
  fuse_session_destroy(fuse);
  return NULL;
}

void crfs_answer_init(struct fuse_conn_info *connection) {
  connection->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ);
  if (connection->max_write > CRFS_BUFFER_SIZE) /* which reads go by, too */
    connection->max_write = CRFS_BUFFER_SIZE;
}

/* All of it, or an error: to the kernel, a read that is short is the end of the file. */
static int reply(fuse_req_t request, struct crfs_buffers *buffers, const struct crfs_content *content, off_t offset,
                 size_t size) {
  char *bytes = size > CRFS_BUFFER_SIZE ? NULL : crfs_buffer_take(buffers);
  ssize_t got = bytes == NULL ? 0 : pread(content->fd, bytes, size, offset);
  int error = got == (ssize_t)size ? 0 : got < 0 ? errno : EIO;
  if (error == 0)
    fuse_reply_buf(request, bytes, size);
  if (bytes != NULL)
    crfs_buffer_give(buffers, bytes);
  return error;
}

int crfs_answer_read(fuse_req_t request, struct crfs_file *file, struct crfs_buffers *buffers,
                     const struct crfs_asker *asker, size_t size, off_t offset) {
  const uint64_t at = (uint64_t)offset, end = crfs_file_size(file);
  struct crfs_content *content = NULL;
  if (at >= end || size == 0) {
    fuse_reply_buf(request, NULL, 0);
    return 0;
  }
  if (size > end - at)
    size = end - at;
  int error = crfs_file_take(file, at, size, asker, &content);
  if (error == 0)
    error = reply(request, buffers, content, offset, size);
  if (content != NULL)
    crfs_content_release(content);
  return error;
}
