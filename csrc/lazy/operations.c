/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/operations.h"

#include "client/session.h"
#include "lazy/dying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOR_EVER 4e9 /* seconds: a layer never changes */

void crfs_lazy_name(char name[CRFS_LAZY_NAME], const struct crfs_layer *layer, uint32_t inode) {
  snprintf(name, CRFS_LAZY_NAME, "%u.%u", layer->ordinal, inode);
}

/* Numbers of the mount's own inodes: the ordinal of the layer + 1, and 32 bits of inode. */
static fuse_ino_t number_of(const struct crfs_layer *layer, uint32_t inode) {
  return ((fuse_ino_t)layer->ordinal + 1) << 32 | inode;
}

static struct crfs_files *files_of(fuse_req_t request) {
  return fuse_req_userdata(request);
}

static const struct crfs_layer *layer_of(fuse_req_t request, uint32_t ordinal) {
  const struct crfs_layer *layer = files_of(request)->channel.session->layers;
  while (layer != NULL && layer->ordinal != ordinal)
    layer = layer->next;
  return layer;
}

static struct stat attributes(const struct crfs_layer *layer, uint32_t inode) {
  return (struct stat){
      .st_ino = number_of(layer, inode),
      .st_mode = S_IFREG | 0500,
      .st_nlink = 1,
      .st_uid = geteuid(),
      .st_gid = getegid(),
      .st_size = (off_t)layer->index.inodes[inode].size,
      .st_blksize = 4096,
  };
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  uint32_t ordinal, inode;
  char proper[CRFS_LAZY_NAME];
  const struct crfs_layer *layer = NULL;
  if (parent == FUSE_ROOT_ID && sscanf(name, "%u.%u", &ordinal, &inode) == 2)
    layer = layer_of(request, ordinal);
  if (layer == NULL || inode >= layer->index.header->inodes.count || crfs_type(layer, (int32_t)inode) != S_IFREG) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  crfs_lazy_name(proper, layer, inode);
  struct fuse_entry_param entry = {.ino = number_of(layer, inode),
                                   .attr = attributes(layer, inode),
                                   .attr_timeout = FOR_EVER,
                                   .entry_timeout = FOR_EVER};
  if (strcmp(name, proper) == 0)
    fuse_reply_entry(request, &entry);
  else
    fuse_reply_err(request, ENOENT);
}

static void getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  struct stat st = {.st_ino = number, .st_mode = S_IFDIR | 0500, .st_nlink = 1, .st_uid = geteuid()};
  (void)info;
  if (number != FUSE_ROOT_ID)
    st = attributes(layer_of(request, (uint32_t)(number >> 32) - 1), (uint32_t)number);
  fuse_reply_attr(request, &st, FOR_EVER);
}

/* Past the page cache, so that one read of the host's is one read here. From pages, a read that fails in its middle
 * would yield the bytes before that; libfuse hands these on as they are, and to the kernel a read that is short is the
 * end of the file. */
static void open_file(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  struct crfs_files *files = files_of(request);
  const struct crfs_layer *layer = layer_of(request, (uint32_t)(number >> 32) - 1);
  info->direct_io = 1;
  if (crfs_file_open(files, layer, (uint32_t)number, &info->fh) < 0)
    fuse_reply_err(request, ENOMEM);
  else if (fuse_reply_open(request, info) != 0) /* whoever wanted it was interrupted */
    crfs_file_close(files, info->fh);
}

static void read_file(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  struct crfs_files *files = files_of(request);
  struct crfs_file *file = crfs_file_hold(files, info->fh);
  (void)number;
  const struct crfs_asker asker = {.has_gone = crfs_reader_is_dying, .self = request};
  int error = crfs_answer_read(request, file, &files->buffers, &asker, size, offset);
  if (error != 0)
    fuse_reply_err(request, error);
  crfs_file_release(file);
}

static void release(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  (void)number;
  crfs_file_close(files_of(request), info->fh);
  fuse_reply_err(request, 0);
}

static void init(void *files, struct fuse_conn_info *connection) {
  (void)files;
  crfs_answer_init(connection);
}

struct fuse_session *crfs_operations_begin(struct crfs_files *files, int device) {
  static const struct fuse_lowlevel_ops operations = {
      .init = init,
      .lookup = lookup,
      .getattr = getattr,
      .open = open_file,
      .read = read_file,
      .release = release,
  };
  return crfs_answer_begin(&operations, files, device);
}
