/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/xattrs.h"

#include "client/attributes.h"

#include <errno.h>
#include <string.h>

/* Whether NAME asks if a directory hides what is below it. */
static int asks_for_opaque(const char *name) {
  return strcmp(name, "trusted.overlay.opaque") == 0 || strcmp(name, "user.overlay.opaque") == 0;
}

ssize_t crfs_lower_xattr_get(struct crfs_node node, const char *name, char *buf, size_t size) {
  errno = ENODATA;
  if (node.layer == NULL || node.whiteout)
    return -1;
  if (!crfs_tree_is_private(name))
    return crfs_xattr_get(node.layer, node.inode, name, buf, size);
  if (!asks_for_opaque(name) || crfs_type(node.layer, (int32_t)node.inode) != S_IFDIR ||
      !crfs_tree_is_opaque(node.layer, node.inode))
    return -1;
  if (size > 0)
    buf[0] = 'y';
  return 1;
}

/* Takes the names out of the LENGTH bytes of LIST that overlays would take for their own. Returns its length then. */
static ssize_t without_private(char *list, ssize_t length) {
  char *out = list;
  for (const char *in = list; in < list + length;) {
    const size_t size = strlen(in) + 1, keeps = crfs_tree_is_private(in) ? 0 : size;
    memmove(out, in, keeps);
    out += keeps;
    in += size;
  }
  return out - list;
}

ssize_t crfs_lower_xattr_list(struct crfs_node node, char *buf, size_t size) {
  if (node.layer == NULL || node.whiteout)
    return 0;
  ssize_t length = crfs_xattr_list(node.layer, node.inode, buf, CRFS_LOWER_XATTR_SIZE);
  if (length > 0)
    length = without_private(buf, length);
  if (size == 0 || length <= (ssize_t)size)
    return length;
  errno = ERANGE;
  return -1;
}
