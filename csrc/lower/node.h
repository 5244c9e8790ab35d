/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the file system consists of. Its root holds a directory for each layer, named by its place in decimal: `0` is
 * the base; one with nothing in it, CRFS_LOWER_EMPTY; and one with the objects of these layers, AB/NAME,
 * CRFS_LOWER_OBJECTS. It lists none of these. */

#ifndef CRFS_LOWER_NODE_H
#define CRFS_LOWER_NODE_H

#include "lower/contents.h"
#include "lower/tree.h"

struct crfs_node {
  const struct crfs_layer *layer; /* NULL: the root, the directory with nothing in it, and those of objects */
  uint32_t inode;
  int whiteout; /* what is not there, in the name of the inode */
};

/* A node's number has the slot of its layer + 1 in its upper half, and the inode in its lower one. */
uint64_t crfs_node_number(struct crfs_node node);

/* Fills in NODE with what NUMBER stands for. Returns whether there is such a node. */
int crfs_node_of(const struct crfs_tree *tree, uint64_t number, struct crfs_node *node);

/* One of S_IFMT. */
mode_t crfs_node_type(struct crfs_node node);

struct stat crfs_node_attributes(struct crfs_node node);

/* What DIRECTORY, which is one, has under NAME, of at most CRFS_NAME_LIMIT bytes. Returns whether there is something,
 * FOUND. */
int crfs_node_find(const struct crfs_tree *tree, struct crfs_contents *contents, struct crfs_node directory,
                   const char *name, struct crfs_node *found);

#endif
