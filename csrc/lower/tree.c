/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/tree.h"

#include "client/attributes.h"
#include "client/timeout.h"
#include "lower/below.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHITEOUT ".wh."
#define WHITEOUT_LENGTH 4u
#define OPAQUE ".wh..wh..opq"

static int load(struct crfs_tree *tree, const char *asked, struct crfs_failure *failure) {
  struct crfs_source *source = crfs_session_source(&tree->session, asked, failure);
  if (source == NULL)
    return -1;
  tree->layers = calloc(source->layers, sizeof *tree->layers);
  if (tree->layers == NULL)
    return crfs_fail(failure, ENOMEM, "out of memory");
  for (uint32_t place = 0; place < source->layers; place++) {
    struct crfs_layer *layer = calloc(1, sizeof *layer);
    if (layer == NULL)
      return crfs_fail(failure, ENOMEM, "out of memory");
    layer->source = source;
    layer->place = layer->slot = place;
    if (crfs_session_add(layer, failure) < 0)
      return -1;
    tree->layers[place] = layer;
    tree->count++;
  }
  return 0;
}

int crfs_tree_load(struct crfs_tree *tree, const char *asked, const char *mountpoint, const char *const *below,
                   struct crfs_failure *failure) {
  struct crfs_front_end front_end = {.mountpoint = mountpoint, .object = crfs_tree_load};
  tree->layers = NULL;
  tree->count = 0;
  tree->below = below;
  if (crfs_timeout_read(&front_end.timeout_ns, failure) < 0 ||
      crfs_session_begin(&tree->session, &front_end, failure) < 0)
    return -1;
  return load(tree, asked, failure);
}

static const char *path_of(const struct crfs_layer *layer, const struct crfs_dirent *d) {
  return layer->index.strings + d->path;
}

static const char *name_of(const struct crfs_layer *layer, const struct crfs_dirent *d) {
  return path_of(layer, d) + d->path_length - d->name_length;
}

/* As the index sorts the names of a directory: by their bytes. */
static int compare(const char *a, size_t a_length, const char *b, size_t b_length) {
  int difference = memcmp(a, b, a_length < b_length ? a_length : b_length);
  return difference != 0 ? difference : (a_length > b_length) - (a_length < b_length);
}

/* The dirent of NAME in the directory INODE, or NULL. */
static const struct crfs_dirent *search(const struct crfs_layer *layer, uint32_t inode, const char *name,
                                        size_t length) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  const struct crfs_dirent *dirents = &layer->index.dirents[i->first];
  uint32_t low = 0, high = i->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct crfs_dirent *d = &dirents[middle];
    int difference = compare(name_of(layer, d), d->name_length, name, length);
    if (difference == 0)
      return d;
    if (difference < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static int is_whiteout_name(const char *name, size_t length) {
  return length >= WHITEOUT_LENGTH && memcmp(name, WHITEOUT, WHITEOUT_LENGTH) == 0;
}

static int is_zero_device(const struct crfs_layer *layer, uint32_t inode) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  return (i->mode & S_IFMT) == S_IFCHR && i->u.rdev.major == 0 && i->u.rdev.minor == 0;
}

int crfs_tree_is_opaque(const struct crfs_layer *layer, uint32_t inode) {
  static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"};
  char value;
  for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
    if (crfs_xattr_get(layer, inode, names[n], &value, 1) == 1 && value == 'y')
      return 1;
  return search(layer, inode, OPAQUE, strlen(OPAQUE)) != NULL;
}

int crfs_tree_is_private(const char *name) {
  return strncmp(name, "user.overlay.", 13) == 0 || strncmp(name, "trusted.overlay.", 16) == 0;
}

/* The dirent of the first LENGTH bytes of PATH in LAYER, or NULL. */
static const struct crfs_dirent *at(const struct crfs_layer *layer, const char *path, size_t length) {
  return crfs_index_find(&layer->index, path, length);
}

/* Whether LAYER has a whiteout of the first LENGTH bytes of PATH. */
static int is_whited_out(const struct crfs_layer *layer, const char *path, size_t length) {
  char hidden[CRFS_PATH_LIMIT + WHITEOUT_LENGTH];
  size_t name = length;
  while (name > 0 && path[name - 1] != '/')
    name--;
  if (length + WHITEOUT_LENGTH > CRFS_PATH_LIMIT)
    return 0;
  memcpy(hidden, path, name);
  memcpy(hidden + name, WHITEOUT, WHITEOUT_LENGTH);
  memcpy(hidden + name + WHITEOUT_LENGTH, path + name, length - name);
  return at(layer, hidden, length + WHITEOUT_LENGTH) != NULL;
}

/* Whether LAYER hides, from all below it, the entry whose clean path is PATH, by something that it has at or above the
 * directory of that entry. */
static int hides(const struct crfs_layer *layer, const char *path, size_t length) {
  if (crfs_tree_is_opaque(layer, 0))
    return 1;
  for (size_t end = 1; end < length; end++) {
    if (path[end] != '/')
      continue;
    const struct crfs_dirent *d = at(layer, path, end);
    if (d == NULL ? is_whited_out(layer, path, end) : d->type != DT_DIR || crfs_tree_is_opaque(layer, d->inode))
      return 1;
  }
  return 0;
}

/* Whether anything below LAYER has the entry PATH. A whiteout of nothing is to be left out: the overlay would list it
 * in a directory that no other layer has, which it passes on as it is. */
static int is_below(const struct crfs_tree *tree, const struct crfs_layer *layer, const char *path, size_t length) {
  if (hides(layer, path, length))
    return 0;
  if (tree->below == NULL)
    return 1;
  for (uint32_t place = layer->place; place-- > 0;) {
    const struct crfs_layer *lower = tree->layers[place];
    if (at(lower, path, length) != NULL)
      return 1;
    if (hides(lower, path, length) || is_whited_out(lower, path, length))
      return 0;
  }
  return crfs_below_has(tree->below, path, length);
}

/* Fills in ENTRY with what the dirent D shows. Returns whether it shows anything. */
static int show(const struct crfs_tree *tree, const struct crfs_layer *layer, const struct crfs_dirent *d,
                struct crfs_entry *entry) {
  const char *name = name_of(layer, d);
  const size_t before = (size_t)d->path_length - d->name_length;
  *entry = (struct crfs_entry){.name = name, .length = d->name_length, .inode = d->inode, .dirent = d};
  if (is_zero_device(layer, d->inode)) {
    entry->whiteout = 1;
    return is_below(tree, layer, path_of(layer, d), d->path_length);
  }
  if (!is_whiteout_name(name, d->name_length))
    return 1;
  /* `.wh..wh.` begins what hides no single name */
  if (d->name_length == WHITEOUT_LENGTH || is_whiteout_name(name + WHITEOUT_LENGTH, d->name_length - WHITEOUT_LENGTH))
    return 0;
  char hidden[CRFS_PATH_LIMIT];
  memcpy(hidden, path_of(layer, d), before);
  memcpy(hidden + before, name + WHITEOUT_LENGTH, d->name_length - WHITEOUT_LENGTH);
  *entry = (struct crfs_entry){.name = name + WHITEOUT_LENGTH,
                               .length = d->name_length - WHITEOUT_LENGTH,
                               .inode = d->inode,
                               .dirent = d,
                               .whiteout = 1};
  return is_below(tree, layer, hidden, d->path_length - WHITEOUT_LENGTH);
}

int crfs_tree_find(const struct crfs_tree *tree, const struct crfs_layer *layer, uint32_t inode, const char *name,
                   struct crfs_entry *entry) {
  char whiteout[WHITEOUT_LENGTH + CRFS_NAME_LIMIT];
  const size_t length = strlen(name);
  if (length > CRFS_NAME_LIMIT || is_whiteout_name(name, length))
    return 0;
  const struct crfs_dirent *d = search(layer, inode, name, length);
  if (d == NULL && length + WHITEOUT_LENGTH <= CRFS_NAME_LIMIT) {
    memcpy(whiteout, WHITEOUT, WHITEOUT_LENGTH);
    memcpy(whiteout + WHITEOUT_LENGTH, name, length);
    d = search(layer, inode, whiteout, length + WHITEOUT_LENGTH);
  }
  return d != NULL && show(tree, layer, d, entry);
}

int crfs_tree_next(const struct crfs_tree *tree, const struct crfs_layer *layer, uint32_t inode, uint32_t *place,
                   struct crfs_entry *entry) {
  const struct crfs_inode *i = &layer->index.inodes[inode];
  for (; *place < i->count; ++*place)
    if (show(tree, layer, &layer->index.dirents[i->first + *place], entry))
      return 1;
  return 0;
}
