/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/operations.h"

#include "client/attributes.h"

#include <fuse_lowlevel.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOR_EVER 4e9   /* seconds: a layer never changes */
#define BACKGROUND 256 /* reads ahead that the kernel may have under way at a time */
#define OPAQUE_ATTRIBUTE "overlay.opaque"

/* A node's number has the place of the layer + 1 in its upper half, and the inode in its lower one. Of no layer are the
 * root, the directory with nothing in it, and those of objects. */
struct node {
  const struct crfs_layer *layer; /* or NULL */
  uint32_t inode;
  int whiteout; /* what is not there, in the name of the inode */
};

#define WHITEOUT_BIT 0x80000000u /* above CRFS_INODE_LIMIT */
static const struct node empty = {.inode = FUSE_ROOT_ID + 1}, objects = {.inode = FUSE_ROOT_ID + 2};
#define SHARD 0x100u /* and one byte: the node of a directory among the objects */

static struct crfs_lower *lower_of(fuse_req_t request) {
  return fuse_req_userdata(request);
}

static fuse_ino_t number_of(struct node node) {
  const fuse_ino_t layer = node.layer == NULL ? 0 : (fuse_ino_t)node.layer->place + 1;
  return layer << 32 | node.inode | (node.whiteout ? WHITEOUT_BIT : 0);
}

/* The kernel names only nodes that it was told of. */
static struct node node_of(fuse_req_t request, fuse_ino_t number) {
  const fuse_ino_t layer = number >> 32;
  return (struct node){.layer = layer == 0 ? NULL : lower_of(request)->tree.layers[layer - 1],
                       .inode = (uint32_t)number & ~WHITEOUT_BIT,
                       .whiteout = (number & WHITEOUT_BIT) != 0};
}

static struct stat attributes(struct node node) {
  struct stat st = {.st_mode = node.whiteout ? S_IFCHR : S_IFDIR | 0555, .st_nlink = 1};
  if (node.layer != NULL && !node.whiteout)
    crfs_attributes(node.layer, node.inode, &st);
  st.st_ino = number_of(node);
  return st;
}

static struct fuse_entry_param entry_of(struct node node) {
  return (struct fuse_entry_param){
      .ino = number_of(node),
      .attr = attributes(node),
      .attr_timeout = FOR_EVER,
      .entry_timeout = FOR_EVER,
  };
}

/* The layer with the directory NAME in the root, or NULL. */
static const struct crfs_layer *layer_named(const struct crfs_tree *tree, const char *name) {
  char proper[16];
  const unsigned long place = strtoul(name, NULL, 10);
  snprintf(proper, sizeof proper, "%lu", place);
  return place < tree->count && strcmp(name, proper) == 0 ? tree->layers[place] : NULL;
}

/* What the root has under NAME. All of these return whether there is something, in FOUND. */
static int find_in_root(const struct crfs_tree *tree, const char *name, struct node *found) {
  const struct crfs_layer *layer = layer_named(tree, name);
  if (layer != NULL)
    *found = (struct node){.layer = layer};
  else if (strcmp(name, CRFS_LOWER_EMPTY) == 0)
    *found = empty;
  else if (strcmp(name, CRFS_LOWER_OBJECTS) == 0)
    *found = objects;
  else
    return 0;
  return 1;
}

static int find_shard(const char *name, struct node *found) {
  unsigned byte;
  char proper[8];
  if (sscanf(name, "%2x", &byte) != 1)
    return 0;
  snprintf(proper, sizeof proper, "%02x", byte);
  *found = (struct node){.inode = SHARD + byte};
  return strcmp(name, proper) == 0;
}

static int find_object(struct crfs_contents *contents, const char *name, struct node *found) {
  *found = (struct node){.layer = NULL};
  found->layer = crfs_contents_find(contents, name, &found->inode);
  return found->layer != NULL;
}

static int find_in_layer(const struct crfs_tree *tree, struct node directory, const char *name, struct node *found) {
  struct crfs_entry entry;
  if (!crfs_tree_find(tree, directory.layer, directory.inode, name, &entry))
    return 0;
  *found = (struct node){directory.layer, entry.inode, entry.whiteout};
  return 1;
}

static int find(struct crfs_lower *lower, struct node directory, const char *name, struct node *found) {
  if (directory.layer != NULL)
    return find_in_layer(&lower->tree, directory, name, found);
  if (directory.inode == FUSE_ROOT_ID)
    return find_in_root(&lower->tree, name, found);
  if (directory.inode == objects.inode)
    return find_shard(name, found);
  return directory.inode >= SHARD && find_object(&lower->contents, name, found);
}

static void lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
  struct fuse_entry_param entry = {.entry_timeout = FOR_EVER}; /* there is no such name */
  struct node found;
  if (find(lower_of(request), node_of(request, parent), name, &found))
    entry = entry_of(found);
  fuse_reply_entry(request, &entry);
}

static void getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *info) {
  (void)info;
  const struct stat st = attributes(node_of(request, number));
  fuse_reply_attr(request, &st, FOR_EVER);
}

static void readlink_of(fuse_req_t request, fuse_ino_t number) {
  const struct node node = node_of(request, number);
  char target[CRFS_PATH_LIMIT + 1];
  ssize_t length = crfs_link_target(node.layer, node.inode, target, CRFS_PATH_LIMIT);
  if (length < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  target[length] = '\0';
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
static int add_next(fuse_req_t request, struct node directory, char *buffer, size_t size, size_t *used, off_t *offset) {
  struct fuse_entry_param entry = {.attr = {.st_mode = S_IFDIR, .st_ino = FUSE_ROOT_ID}};
  struct crfs_entry found;
  char name[CRFS_NAME_LIMIT + 1] = "..";
  uint32_t place = *offset < 2 ? 0 : (uint32_t)*offset - 2;
  if (*offset < 2) {
    name[*offset + 1] = '\0';
    return add(request, buffer, size, used, name, &entry, ++*offset);
  }
  if (directory.layer == NULL ||
      !crfs_tree_next(&lower_of(request)->tree, directory.layer, directory.inode, &place, &found))
    return 0;
  memcpy(name, found.name, found.length);
  name[found.length] = '\0';
  entry = entry_of((struct node){directory.layer, found.inode, found.whiteout});
  *offset = (off_t)place + 3;
  return add(request, buffer, size, used, name, &entry, *offset);
}

static void readdirplus(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  struct crfs_buffers *buffers = &lower_of(request)->buffers;
  const struct node directory = node_of(request, number);
  char *buffer = crfs_buffer_take(buffers);
  size_t used = 0;
  (void)info;
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

/* Whether whoever reads got a signal: until it is answered, it is not even killed. */
static int is_interrupted(void *request) {
  return fuse_req_interrupted(request);
}

/* All of it, or an error: to the kernel, a read that is short is the end of the file. */
static void reply_content(fuse_req_t request, const struct crfs_content *content, off_t offset, size_t size) {
  struct crfs_buffers *buffers = &lower_of(request)->buffers;
  char *bytes = size > CRFS_BUFFER_SIZE ? NULL : crfs_buffer_take(buffers);
  ssize_t got = bytes == NULL ? 0 : pread(content->fd, bytes, size, offset);
  if (got == (ssize_t)size)
    fuse_reply_buf(request, bytes, size);
  else
    fuse_reply_err(request, got < 0 ? errno : EIO);
  if (bytes != NULL)
    crfs_buffer_give(buffers, bytes);
}

static void read_file(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, struct fuse_file_info *info) {
  const struct node node = node_of(request, number);
  const uint64_t at = (uint64_t)offset, end = node.layer->index.inodes[node.inode].size;
  const struct crfs_asker asker = {.has_gone = is_interrupted, .self = request};
  struct crfs_content *content = NULL;
  (void)info;
  if (at >= end) {
    fuse_reply_buf(request, NULL, 0);
    return;
  }
  if (size > end - at)
    size = end - at;
  struct crfs_file *file = crfs_recent_hold(&lower_of(request)->recent, number, node.layer, node.inode);
  int error = file == NULL ? ENOMEM : crfs_file_take(file, at, size, &asker, &content);
  if (error != 0)
    fuse_reply_err(request, error);
  else
    reply_content(request, content, offset, size);
  if (content != NULL)
    crfs_content_release(content);
  if (file != NULL)
    crfs_file_release(file);
}

/* The name behind the prefix by which overlays find their own attributes, or NULL. */
static const char *overlay_name(const char *name) {
  if (!crfs_tree_is_private(name))
    return NULL;
  return strchr(name, '.') + 1;
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
  const struct node node = node_of(request, number);
  const char *own = overlay_name(name);
  char bytes[65536]; /* XATTR_SIZE_MAX */
  ssize_t length = -1;
  errno = ENODATA;
  if (!lower_of(request)->has_attributes) {
    fuse_reply_err(request, ENOSYS);
    return;
  }
  if (size > sizeof bytes)
    size = sizeof bytes;
  if (own != NULL && node.layer != NULL && strcmp(own, OPAQUE_ATTRIBUTE) == 0 &&
      crfs_type(node.layer, (int32_t)node.inode) == S_IFDIR && crfs_tree_is_opaque(node.layer, node.inode))
    length = 1, bytes[0] = 'y';
  else if (own == NULL && node.layer != NULL)
    length = crfs_xattr_get(node.layer, node.inode, name, bytes, size);
  reply_attribute(request, bytes, length, size);
}

/* Takes the names out of the LENGTH bytes of LIST that overlays would take for their own. Returns its length then. */
static ssize_t without_private(char *list, ssize_t length) {
  char *out = list;
  for (const char *in = list; in < list + length;) {
    const size_t size = strlen(in) + 1;
    if (!crfs_tree_is_private(in)) {
      memmove(out, in, size);
      out += size;
    }
    in += size;
  }
  return out - list;
}

static void listxattr_of(fuse_req_t request, fuse_ino_t number, size_t size) {
  const struct node node = node_of(request, number);
  char list[65536]; /* XATTR_LIST_MAX */
  ssize_t length = node.layer == NULL ? 0 : crfs_xattr_list(node.layer, node.inode, list, sizeof list);
  if (length > 0)
    length = without_private(list, length);
  if (length > (ssize_t)size && size != 0) {
    length = -1;
    errno = ERANGE;
  }
  reply_attribute(request, list, length, size);
}

static void init(void *userdata, struct fuse_conn_info *connection) {
  const struct crfs_lower *lower = userdata;
  const unsigned wanted = FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS | (lower->has_acls ? FUSE_CAP_POSIX_ACL : 0);
  connection->want |= wanted & connection->capable;
  connection->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ);
  connection->max_background = BACKGROUND;
  if (connection->max_write > CRFS_BUFFER_SIZE) /* which reads go by, too */
    connection->max_write = CRFS_BUFFER_SIZE;
}

/* Looks whether the layers have extended attributes, and of what kind: without any, the kernel is told so once, and
 * never asks again. */
static void survey(struct crfs_lower *lower) {
  static const char acl[] = "system.posix_acl_";
  lower->has_attributes = lower->tree.count > 1 || lower->tree.below; /* for directories that are opaque */
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

struct fuse_session *crfs_lower_begin(struct crfs_lower *lower, int device) {
  static const struct fuse_lowlevel_ops operations = {
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
  char place[32], name[] = "crfs", *words[] = {name, NULL};
  struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
  survey(lower);
  crfs_contents_begin(&lower->contents, &lower->tree);
  crfs_buffers_begin(&lower->buffers);
  crfs_recent_begin(&lower->recent, crfs_session_channel(&lower->tree.session));
  struct fuse_session *fuse = fuse_session_new(&arguments, &operations, sizeof operations, lower);
  fuse_opt_free_args(&arguments);
  snprintf(place, sizeof place, "/dev/fd/%d", device);
  if (fuse == NULL || fuse_session_mount(fuse, place) < 0)
    return NULL;
  return fuse;
}
