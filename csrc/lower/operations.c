/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/operations.h"

#include "client/attributes.h"
#include "lazy/answer.h"
#include "lazy/dying.h"
#include "lower/xattrs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FOR_EVER 4e9   /* seconds: a layer never changes */
#define BACKGROUND 256 /* reads ahead that the kernel may have under way at a time */

/* Each request comes by here. */
static struct crfs_lower *lower_of(fuse_req_t request) {
  struct crfs_lower *lower = fuse_req_userdata(request);
  __atomic_fetch_add(&lower->requests, 1, __ATOMIC_RELAXED);
  return lower;
}

#define ANY 0 /* type of a node */

/* Finds the NODE that a request is about, which must be of a TYPE for it. The kernel names only those that it was told
 * of, each for what it is. Returns whether it is so; else the request is answered. */
static int find_node(fuse_req_t request, fuse_ino_t number, mode_t type, struct crfs_node *node) {
  if (crfs_node_of(&lower_of(request)->tree, number, node) && (type == ANY || crfs_node_type(*node) == type))
    return 1;
  fuse_reply_err(request, ESTALE);
  return 0;
}

static struct fuse_entry_param entry_of(struct crfs_node node) {
  return (struct fuse_entry_param){
      .ino = crfs_node_number(node),
      .attr = crfs_node_attributes(node),
      .attr_timeout = FOR_EVER,
      .entry_timeout = FOR_EVER,
  };
}

/* Also of what is not ended by a NUL. */
static int is_too_long(const char *name) {
  return strnlen(name, CRFS_NAME_LIMIT + 1) > CRFS_NAME_LIMIT;
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  struct crfs_lower *lower = lower_of(request);
  struct fuse_entry_param entry = {.entry_timeout = FOR_EVER}; /* there is no such name */
  struct crfs_node directory, found;
  if (!find_node(request, parent, S_IFDIR, &directory))
    return;
  if (is_too_long(name)) {
    fuse_reply_err(request, ENAMETOOLONG);
    return;
  }
  if (crfs_node_find(&lower->tree, &lower->contents, directory, name, &found))
    entry = entry_of(found);
  fuse_reply_entry(request, &entry);
}

static void getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  struct crfs_node node;
  (void)info;
  if (!find_node(request, number, ANY, &node))
    return;
  const struct stat st = crfs_node_attributes(node);
  fuse_reply_attr(request, &st, FOR_EVER);
}

static void readlink_of(fuse_req_t request, fuse_ino_t number) {
  struct crfs_node node;
  char target[CRFS_PATH_LIMIT + 1];
  if (!find_node(request, number, S_IFLNK, &node))
    return;
  target[crfs_link_target(node.layer, node.inode, target, CRFS_PATH_LIMIT)] = '\0';
  fuse_reply_readlink(request, target);
}

/* As if it had never been implemented: the kernel opens by itself from then on, and keeps what it has read. */
static void refuse_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  (void)number, (void)info;
  fuse_reply_err(request, ENOSYS);
}

/* Adds the entry NAME behind the USED bytes of BUFFER. Returns whether it had room. */
static int add(fuse_req_t request, char *buffer, size_t size, size_t *used, const char *name,
               const struct fuse_entry_param *entry, off_t next) {
  size_t needed = fuse_add_direntry_plus(request, buffer + *used, size - *used, name, entry, next);
  if (needed > size - *used)
    return 0;
  *used += needed;
  return 1;
}

/* Adds the entry of a directory at OFFSET, or the first one behind it, which OFFSET then is behind. Returns whether
 * there was one, and room. Places 0 and 1 are `.` and `..`, of which the kernel wants the type alone. */
static int add_next(fuse_req_t request, struct crfs_node directory, char *buffer, size_t size, size_t *used,
                    off_t *offset) {
  struct fuse_entry_param entry = {.attr = {.st_mode = S_IFDIR, .st_ino = FUSE_ROOT_ID}};
  struct crfs_entry found;
  char name[CRFS_NAME_LIMIT + 1] = "..";
  uint32_t place = *offset < 2 ? 0 : (uint32_t)*offset - 2;
  if (*offset < 0)
    return 0;
  if (*offset < 2) {
    name[*offset + 1] = '\0';
    return add(request, buffer, size, used, name, &entry, ++*offset);
  }
  if (directory.layer == NULL || *offset > UINT32_MAX ||
      !crfs_tree_next(&lower_of(request)->tree, directory.layer, directory.inode, &place, &found))
    return 0;
  memcpy(name, found.name, found.length);
  name[found.length] = '\0';
  entry = entry_of((struct crfs_node){directory.layer, found.inode, found.whiteout});
  *offset = (off_t)place + 3;
  return add(request, buffer, size, used, name, &entry, *offset);
}

static void readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  struct crfs_buffers *buffers = &lower_of(request)->buffers;
  struct crfs_node directory;
  size_t used = 0;
  (void)info;
  if (!find_node(request, number, S_IFDIR, &directory))
    return;
  char *buffer = crfs_buffer_take(buffers);
  if (buffer == NULL) {
    fuse_reply_err(request, ENOMEM);
    return;
  }
  if (size > CRFS_BUFFER_SIZE)
    size = CRFS_BUFFER_SIZE;
  while (add_next(request, directory, buffer, size, &used, &offset))
    ;
  fuse_reply_buf(request, buffer, used);
  crfs_buffer_give(buffers, buffer);
}

static void read_file(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  struct crfs_lower *lower = lower_of(request);
  struct crfs_node node;
  if (!find_node(request, number, S_IFREG, &node))
    return;
  struct crfs_file *file = crfs_recent_hold(&lower->recent, number, node.layer, node.inode);
  if (file == NULL) {
    fuse_reply_err(request, ENOMEM);
    return;
  }
  const struct crfs_read read = {
      .node = number, .offset = (uint64_t)offset, .size = size, .reader = fuse_req_ctx(request)->pid};
  const struct crfs_asker asker = {
      .has_gone = crfs_reader_is_dying, .self = request, .failed = crfs_repeats_take(&lower->repeats, &read)};
  int error = crfs_answer_read(request, file, &lower->buffers, &asker, size, offset);
  if (error != 0 && error != EINTR && asker.failed == 0 && (info->flags & O_DIRECT) == 0)
    crfs_repeats_note(&lower->repeats, &read, error);
  if (error != 0)
    fuse_reply_err(request, error);
  crfs_file_release(file);
}

static void reply_attribute(fuse_req_t request, const char *bytes, ssize_t length, size_t size) {
  if (length < 0)
    fuse_reply_err(request, errno);
  else if (size == 0)
    fuse_reply_xattr(request, (size_t)length);
  else
    fuse_reply_buf(request, bytes, (size_t)length);
}

static void getxattr_of(fuse_req_t request, fuse_ino_t number, const char *name, size_t size) {
  char value[CRFS_LOWER_XATTR_SIZE];
  struct crfs_node node;
  if (!find_node(request, number, ANY, &node))
    return;
  if (size > sizeof value)
    size = sizeof value;
  if (!lower_of(request)->has_attributes)
    fuse_reply_err(request, ENOSYS);
  else if (is_too_long(name))
    fuse_reply_err(request, ERANGE);
  else
    reply_attribute(request, value, crfs_lower_xattr_get(node, name, value, size), size);
}

static void listxattr_of(fuse_req_t request, fuse_ino_t number, size_t size) {
  char list[CRFS_LOWER_XATTR_SIZE];
  struct crfs_node node;
  if (find_node(request, number, ANY, &node))
    reply_attribute(request, list, crfs_lower_xattr_list(node, list, size), size);
}

static void init(void *userdata, struct fuse_conn_info *connection) {
  const struct crfs_lower *lower = userdata;
  const unsigned wanted = FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS | (lower->has_acls ? FUSE_CAP_POSIX_ACL : 0);
  crfs_answer_init(connection);
  connection->want |= wanted & connection->capable;
  connection->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
  connection->max_background = BACKGROUND;
}

/* Looks whether the layers have extended attributes, and of what kind: without any, the kernel is told so once, and
 * never asks again. */
static void survey(struct crfs_lower *lower) {
  static const char acl[] = "system.posix_acl_";
  if (lower->tree.below == NULL) { /* layers come later, and may have anything */
    lower->has_attributes = lower->has_acls = 1;
    return;
  }
  lower->has_attributes = lower->tree.count > 1 || lower->tree.below[0] != NULL; /* for directories that are opaque */
  for (uint32_t place = 0; place < lower->tree.count; place++) {
    const struct crfs_index_view *index = &lower->tree.layers[place]->index;
    for (uint64_t n = 0; n < index->header->xattrs.count; n++) {
      lower->has_attributes = 1;
      if (index->xattrs[n].name_length >= sizeof acl &&
          memcmp(index->strings + index->xattrs[n].name, acl, sizeof acl - 1) == 0)
        lower->has_acls = 1;
    }
  }
}

const struct fuse_lowlevel_ops crfs_lower_operations = {
    .init = init,
    .lookup = lookup,
    .getattr = getattr,
    .readlink = readlink_of,
    .open = refuse_open,
    .opendir = refuse_open,
    .readdirplus = readdirplus,
    .read = read_file,
    .getxattr = getxattr_of,
    .listxattr = listxattr_of,
};

struct fuse_session *crfs_lower_begin_with(struct crfs_lower *lower, const struct fuse_lowlevel_ops *operations,
                                           int device) {
  survey(lower);
  crfs_contents_begin(&lower->contents, &lower->tree);
  crfs_buffers_begin(&lower->buffers);
  crfs_repeats_begin(&lower->repeats);
  crfs_recent_begin(&lower->recent, crfs_session_channel(&lower->tree.session));
  return crfs_answer_begin(operations, lower, device);
}

struct fuse_session *crfs_lower_begin(struct crfs_lower *lower, int device) {
  return crfs_lower_begin_with(lower, &crfs_lower_operations, device);
}
