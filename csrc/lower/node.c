/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/node.h"

#include "client/attributes.h"
#include "lower/overlay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHITEOUT_BIT 0x80000000u /* above CRFS_INODE_LIMIT */
#define ROOT 1u                  /* FUSE_ROOT_ID */
static const struct crfs_node empty = {.inode = ROOT + 1}, objects = {.inode = ROOT + 2};
#define SHARD 0x100u /* and one byte: the node of a directory among the objects */

uint64_t crfs_node_number(struct crfs_node node) {
  const uint64_t layer = node.layer == NULL ? 0 : (uint64_t)node.layer->slot + 1;
  return layer << 32 | node.inode | (node.whiteout ? WHITEOUT_BIT : 0);
}

int crfs_node_of(const struct crfs_tree *tree, uint64_t number, struct crfs_node *node) {
  const uint64_t layer = number >> 32;
  *node = (struct crfs_node){.inode = (uint32_t)number & ~WHITEOUT_BIT, .whiteout = (number & WHITEOUT_BIT) != 0};
  if (layer > __atomic_load_n(&tree->count, __ATOMIC_ACQUIRE))
    return 0;
  if (layer == 0)
    return !node->whiteout &&
           ((node->inode >= ROOT && node->inode <= objects.inode) || (node->inode >= SHARD && node->inode < 2 * SHARD));
  node->layer = tree->layers[layer - 1];
  return node->inode < node->layer->index.header->inodes.count;
}

mode_t crfs_node_type(struct crfs_node node) {
  return node.whiteout ? S_IFCHR : node.layer == NULL ? S_IFDIR : crfs_type(node.layer, (int32_t)node.inode);
}

struct stat crfs_node_attributes(struct crfs_node node) {
  struct stat st = {.st_mode = node.whiteout ? S_IFCHR : S_IFDIR | 0555, .st_nlink = 1};
  if (node.layer != NULL && !node.whiteout)
    crfs_attributes(node.layer, node.inode, &st);
  st.st_ino = crfs_node_number(node);
  return st;
}

/* The layer with the directory NAME in the root, or NULL. */
static const struct crfs_layer *layer_named(const struct crfs_tree *tree, const char *name) {
  char proper[16];
  const unsigned long place = strtoul(name, NULL, 10);
  snprintf(proper, sizeof proper, "%lu", place);
  return place < tree->count && strcmp(name, proper) == 0 ? tree->layers[place] : NULL;
}

/* What the root has under NAME. All of these return whether there is something, in FOUND. */
static int find_in_root(const struct crfs_tree *tree, const char *name, struct crfs_node *found) {
  const struct crfs_layer *layer = layer_named(tree, name);
  if (layer != NULL)
    *found = (struct crfs_node){.layer = layer};
  else if (strcmp(name, CRFS_LOWER_EMPTY) == 0)
    *found = empty;
  else if (strcmp(name, CRFS_LOWER_OBJECTS) == 0)
    *found = objects;
  else
    return 0;
  return 1;
}

static int find_shard(const char *name, struct crfs_node *found) {
  unsigned byte;
  char proper[8];
  if (sscanf(name, "%2x", &byte) != 1)
    return 0;
  snprintf(proper, sizeof proper, "%02x", byte);
  *found = (struct crfs_node){.inode = SHARD + byte};
  return strcmp(name, proper) == 0;
}

static int find_object(struct crfs_contents *contents, const char *name, struct crfs_node *found) {
  *found = (struct crfs_node){.layer = NULL};
  found->layer = crfs_contents_find(contents, name, &found->inode);
  return found->layer != NULL;
}

static int find_in_layer(const struct crfs_tree *tree, struct crfs_node directory, const char *name,
                         struct crfs_node *found) {
  struct crfs_entry entry;
  if (!crfs_tree_find(tree, directory.layer, directory.inode, name, &entry))
    return 0;
  *found = (struct crfs_node){directory.layer, entry.inode, entry.whiteout};
  return 1;
}

int crfs_node_find(const struct crfs_tree *tree, struct crfs_contents *contents, struct crfs_node directory,
                   const char *name, struct crfs_node *found) {
  if (directory.layer != NULL)
    return find_in_layer(tree, directory, name, found);
  if (directory.inode == ROOT)
    return find_in_root(tree, name, found);
  if (directory.inode == objects.inode)
    return find_shard(name, found);
  return directory.inode >= SHARD && find_object(contents, name, found);
}
