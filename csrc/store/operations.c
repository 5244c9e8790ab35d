/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/operations.h"

#include "client/stored.h"
#include "lazy/answer.h"
#include "store/spot.h"

#include <errno.h>
#include <string.h>

#define FOR_EVER 4e9   /* seconds: what is there does not change */
#define USE_NOTE "use" /* what containers-storage tries to make in the directory of a layer that it uses */

static struct crfs_store *store_of(fuse_req_t request) {
  return fuse_req_userdata(request);
}

/* Finds the SPOT that a request is about. Returns whether there is one; else the request is answered. */
static int find_spot(fuse_req_t request, fuse_ino_t number, struct crfs_spot *spot) {
  if (crfs_spot_of(&store_of(request)->shelf, number, spot))
    return 1;
  fuse_reply_err(request, ESTALE);
  return 0;
}

static struct fuse_entry_param entry_of(struct crfs_spot spot, const struct crfs_layer *layer) {
  struct fuse_entry_param entry = {.attr_timeout = FOR_EVER, .entry_timeout = FOR_EVER};
  entry.attr = layer == NULL ? crfs_spot_attributes(spot) : crfs_node_attributes((struct crfs_node){.layer = layer});
  entry.ino = entry.attr.st_ino;
  return entry;
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  struct crfs_spot spot, found;
  const struct crfs_layer *layer;
  if (!crfs_spot_is(parent)) {
    crfs_lower_operations.lookup(request, parent, name);
    return;
  }
  if (!find_spot(request, parent, &spot))
    return;
  if (!crfs_spot_find(&store_of(request)->shelf, spot, name, &found, &layer)) {
    fuse_reply_err(request, ENOENT); /* for now */
    return;
  }
  const struct fuse_entry_param entry = entry_of(found, layer);
  fuse_reply_entry(request, &entry);
}

static void getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  struct crfs_spot spot;
  if (!crfs_spot_is(number)) {
    crfs_lower_operations.getattr(request, number, info);
  } else if (find_spot(request, number, &spot)) {
    const struct stat st = crfs_spot_attributes(spot);
    fuse_reply_attr(request, &st, FOR_EVER);
  }
}

static void readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  if (crfs_spot_is(number))
    fuse_reply_buf(request, NULL, 0);
  else
    crfs_lower_operations.readdirplus(request, number, size, offset, info);
}

/* Answers with SIZE bytes at OFFSET of a blob, all of them, or an error. */
static void read_blob(fuse_req_t request, struct crfs_stored *stored, uint64_t offset, size_t size) {
  struct crfs_buffers *buffers = &store_of(request)->lower.buffers;
  struct crfs_failure failure;
  if (size > CRFS_BUFFER_SIZE)
    size = CRFS_BUFFER_SIZE;
  char *buffer = crfs_buffer_take(buffers);
  if (buffer == NULL)
    fuse_reply_err(request, ENOMEM);
  else if (crfs_stored_read(&stored->layer, offset, size, buffer, &failure) < 0)
    fuse_reply_err(request, failure.error);
  else
    fuse_reply_buf(request, buffer, size);
  if (buffer != NULL)
    crfs_buffer_give(buffers, buffer);
}

static void read_file(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  struct crfs_spot spot;
  if (!crfs_spot_is(number)) {
    crfs_lower_operations.read(request, number, size, offset, info);
    return;
  }
  if (!find_spot(request, number, &spot))
    return;
  const off_t end = crfs_spot_attributes(spot).st_size;
  if (offset >= end)
    size = 0;
  else if (size > (size_t)(end - offset))
    size = (size_t)(end - offset);
  if (spot.kind == CRFS_SPOT_BLOB && size > 0)
    read_blob(request, spot.stored, (uint64_t)offset, size);
  else if (spot.kind == CRFS_SPOT_INFO && size > 0)
    fuse_reply_buf(request, spot.stored->info + offset, size);
  else
    fuse_reply_buf(request, NULL, 0);
}

static void getxattr_of(fuse_req_t request, fuse_ino_t number, const char *name, size_t size) {
  if (crfs_spot_is(number))
    fuse_reply_err(request, ENODATA);
  else
    crfs_lower_operations.getxattr(request, number, name, size);
}

static void listxattr_of(fuse_req_t request, fuse_ino_t number, size_t size) {
  if (!crfs_spot_is(number))
    crfs_lower_operations.listxattr(request, number, size);
  else if (size == 0)
    fuse_reply_xattr(request, 0);
  else
    fuse_reply_buf(request, NULL, 0);
}

/* Notes that containers-storage uses a layer once more, or once less. It is answered as it expects, also where that
 * cannot be noted: then the layer is there as long as its registry and the cache have it. */
static void refer(fuse_req_t request, struct crfs_stored *stored, int less) {
  struct crfs_failure failure;
  uint32_t uses;
  if (crfs_stored_refer(&stored->layer, stored->asked, less, &uses, &failure) < 0)
    crfs_report(stored->asked, &failure);
  else if (uses == 0) /* the kernel may have it in memory, and asks again then */
    crfs_session_rest(&stored->session);
  fuse_reply_err(request, ENOENT);
}

static void create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info) {
  struct crfs_spot spot;
  (void)mode, (void)info;
  if (crfs_spot_is(parent) && crfs_spot_of(&store_of(request)->shelf, parent, &spot) && spot.kind == CRFS_SPOT_LAYER &&
      strcmp(name, USE_NOTE) == 0)
    refer(request, spot.stored, 0);
  else
    fuse_reply_err(request, EROFS);
}

static void remove_directory(fuse_req_t request, fuse_ino_t parent, const char *name) {
  struct crfs_shelf *shelf = &store_of(request)->shelf;
  struct crfs_spot spot;
  struct crfs_stored *stored = NULL;
  if (crfs_spot_is(parent) && crfs_spot_of(shelf, parent, &spot) && spot.kind == CRFS_SPOT_IMAGE &&
      crfs_name_is_digest(name))
    stored = crfs_shelf_find(shelf, spot.reference, name);
  if (stored != NULL)
    refer(request, stored, 1);
  else
    fuse_reply_err(request, EROFS);
}

struct fuse_session *crfs_store_begin(struct crfs_store *store, const char *directory, uint64_t patience_ns,
                                      int device) {
  static struct fuse_lowlevel_ops operations;
  operations = crfs_lower_operations;
  operations.lookup = lookup;
  operations.getattr = getattr;
  operations.readdirplus = readdirplus;
  operations.read = read_file;
  operations.getxattr = getxattr_of;
  operations.listxattr = listxattr_of;
  operations.create = create;
  operations.rmdir = remove_directory;
  if (crfs_shelf_begin(&store->shelf, &store->lower.tree, directory, patience_ns) < 0)
    return NULL;
  return crfs_lower_begin_with(&store->lower, &operations, device);
}
