/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/stub-tree.h"

#include "lower/stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct making {
  const struct crfs_tree *tree;
  const char *class;
  int root;
  const struct crfs_dirent ***made; /* by layer and inode: under which name it is there already */
  uint64_t bytes;
};

/* One directory of one layer. */
struct part {
  const struct crfs_layer *layer;
  uint32_t inode;
};

/* A directory as all layers together show it: the topmost part first, which its attributes are of. */
struct stack {
  uint32_t count;
  struct part parts[];
};

static struct stack *make_stack(const struct crfs_tree *tree) {
  return malloc(sizeof(struct stack) + tree->count * sizeof(struct part));
}

/* Adds a part, unless one above it hides all that is below. Returns whether more may follow. */
static int add_part(struct stack *stack, const struct crfs_layer *layer, uint32_t inode) {
  stack->parts[stack->count++] = (struct part){layer, inode};
  return !crfs_tree_is_opaque(layer, inode);
}

/* Whether a part above number PART has something of this name, which hides what is below, or is its upper part. */
static int is_covered(const struct crfs_tree *tree, const struct stack *stack, uint32_t part, const char *name) {
  struct crfs_entry above;
  for (uint32_t n = 0; n < part; n++)
    if (crfs_tree_find(tree, stack->parts[n].layer, stack->parts[n].inode, name, &above))
      return 1;
  return 0;
}

/* The directory NAME in STACK, whose topmost part is in part number PART. */
static void descend(struct stack *below, const struct crfs_tree *tree, const struct stack *stack, uint32_t part,
                    const char *name) {
  struct crfs_entry entry;
  below->count = 0;
  for (uint32_t n = part; n < stack->count; n++) {
    const struct crfs_layer *layer = stack->parts[n].layer;
    if (!crfs_tree_find(tree, layer, stack->parts[n].inode, name, &entry))
      continue;
    if (entry.whiteout || crfs_type(layer, (int32_t)entry.inode) != S_IFDIR || !add_part(below, layer, entry.inode))
      break;
  }
}

static int count_bytes(struct making *making, int at, const char *name) {
  struct stat st;
  if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  making->bytes += (uint64_t)st.st_blocks * 512;
  return 0;
}

/* One more name of what is there already. */
static int make_hardlink(const struct making *making, const struct crfs_layer *layer, const struct crfs_dirent *first,
                         int at, const char *name) {
  char path[CRFS_PATH_LIMIT + 1];
  memcpy(path, layer->index.strings + first->path, first->path_length);
  path[first->path_length] = '\0';
  return linkat(making->root, path, at, name, 0);
}

static int make_other(struct making *making, int at, const char *name, const struct crfs_layer *layer,
                      const struct crfs_entry *entry) {
  const struct crfs_dirent **made = &making->made[layer->place][entry->inode];
  if (*made != NULL)
    return make_hardlink(making, layer, *made, at, name);
  *made = entry->dirent;
  return crfs_stub_make(at, name, layer, entry->inode, making->class) < 0 ? -1 : count_bytes(making, at, name);
}

static int fill(struct making *making, int fd, const struct stack *stack);

static int make_directory(struct making *making, int at, const char *name, const struct stack *stack, uint32_t part) {
  struct stack *below = make_stack(making->tree);
  int fd = -1, result = -1;
  if (below != NULL && mkdirat(at, name, 0700) == 0 && (fd = openat(at, name, DIRECTORY)) >= 0) {
    descend(below, making->tree, stack, part, name);
    result = fill(making, fd, below);
  }
  int error = errno;
  if (fd >= 0)
    close(fd);
  free(below);
  errno = error;
  return result;
}

/* Makes what part number PART adds to the directory FD. */
static int fill_from(struct making *making, int fd, const struct stack *stack, uint32_t part) {
  const struct part *own = &stack->parts[part];
  struct crfs_entry entry;
  for (uint32_t place = 0; crfs_tree_next(making->tree, own->layer, own->inode, &place, &entry); place++) {
    char name[CRFS_NAME_LIMIT + 1];
    memcpy(name, entry.name, entry.length);
    name[entry.length] = '\0';
    if (entry.whiteout || is_covered(making->tree, stack, part, name))
      continue;
    const int is_directory = crfs_type(own->layer, (int32_t)entry.inode) == S_IFDIR;
    if ((is_directory ? make_directory(making, fd, name, stack, part)
                      : make_other(making, fd, name, own->layer, &entry)) < 0)
      return -1;
  }
  return 0;
}

static int fill(struct making *making, int fd, const struct stack *stack) {
  for (uint32_t part = 0; part < stack->count; part++)
    if (fill_from(making, fd, stack, part) < 0)
      return -1;
  const struct part *top = &stack->parts[0];
  return crfs_stub_finish(fd, top->layer, top->inode, making->class) < 0 ? -1 : count_bytes(making, fd, ".");
}

static void free_made(struct making *making) {
  for (uint32_t place = 0; making->made != NULL && place < making->tree->count; place++)
    free(making->made[place]);
  free(making->made);
}

static int begin(struct making *making) {
  const struct crfs_tree *tree = making->tree;
  making->made = calloc(tree->count, sizeof *making->made);
  for (uint32_t place = 0; making->made != NULL && place < tree->count; place++) {
    making->made[place] = calloc(tree->layers[place]->index.header->inodes.count, sizeof **making->made);
    if (making->made[place] == NULL)
      return -1;
  }
  return making->made == NULL ? -1 : 0;
}

int crfs_stub_tree_make(int root, const struct crfs_tree *tree, const char *class, uint64_t *bytes) {
  struct making making = {.tree = tree, .class = class, .root = root};
  struct stack *stack = make_stack(tree);
  int result = -1;
  errno = ENOMEM;
  if (stack != NULL && begin(&making) == 0) {
    stack->count = 0;
    for (uint32_t place = tree->count; place-- > 0 && add_part(stack, tree->layers[place], 0);)
      ;
    result = fill(&making, root, stack);
  }
  int error = errno;
  free_made(&making);
  free(stack);
  errno = error;
  *bytes = making.bytes;
  return result;
}
