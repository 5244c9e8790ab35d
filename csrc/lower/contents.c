/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/contents.h"

#include "client/object.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DIRECTORY_LENGTH 3u /* of `ab/`, in front of the name of an object */

void crfs_contents_begin(struct crfs_contents *contents, const struct crfs_tree *tree) {
  *contents = (struct crfs_contents){.tree = tree};
  pthread_mutex_init(&contents->lock, NULL);
  if (getrandom(contents->seed, sizeof contents->seed, 0) < 0)
    contents->seed[0] = (uint64_t)(uintptr_t)contents;
  for (int n = 0; n < 4; n++)
    contents->seed[n] |= 1;
}

static size_t slot_of(const struct crfs_contents *contents, const uint8_t key[32]) {
  uint64_t words[4], sum = 0;
  memcpy(words, key, sizeof words);
  for (int n = 0; n < 4; n++)
    sum += (words[n] ^ words[n] >> 32) * contents->seed[n];
  return (size_t)(sum >> 32) & (contents->count - 1);
}

static int has_object(const struct crfs_inode *i) {
  return (i->mode & S_IFMT) == S_IFREG && i->size > 0;
}

static const struct crfs_inode *inode_at(const struct crfs_contents *contents, size_t slot) {
  const struct crfs_place *place = &contents->slots[slot];
  return place->layer == 0 ? NULL : &contents->tree->layers[place->layer - 1]->index.inodes[place->inode];
}

static int have_one_object(const struct crfs_inode *a, const struct crfs_inode *b) {
  return ((a->flags ^ b->flags) & CRFS_INODE_DIGEST) == 0 && memcmp(a->u.key, b->u.key, sizeof a->u.key) == 0;
}

/* The slot of the object that I is named after, or a free one. */
static size_t find_slot(const struct crfs_contents *contents, const struct crfs_inode *i) {
  const struct crfs_inode *found;
  size_t slot = slot_of(contents, i->u.key);
  while ((found = inode_at(contents, slot)) != NULL && !have_one_object(found, i))
    slot = (slot + 1) & (contents->count - 1);
  return slot;
}

/* With `lock` held. */
static void make(struct crfs_contents *contents) {
  const struct crfs_tree *tree = contents->tree;
  size_t files = 0, count = 16;
  for (uint32_t place = 0; place < tree->count; place++)
    files += tree->layers[place]->index.header->inodes.count;
  while (count < files * 2)
    count *= 2;
  struct crfs_place *slots = calloc(count, sizeof *slots);
  if (slots == NULL)
    return;
  contents->slots = slots;
  contents->count = count;
  for (uint32_t place = 0; place < tree->count; place++) {
    const struct crfs_layer *layer = tree->layers[place];
    for (uint64_t inode = 0; inode < layer->index.header->inodes.count; inode++)
      if (has_object(&layer->index.inodes[inode]))
        contents->slots[find_slot(contents, &layer->index.inodes[inode])] =
            (struct crfs_place){.layer = place + 1, .inode = (uint32_t)inode};
  }
}

static int nibble(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Fills in of I what NAME tells. Returns 0, or -1: no object has such a name. */
static int parse(const char *name, struct crfs_inode *i) {
  for (int n = 0; n < 32; n++) {
    const int high = nibble(name[2 * n]), low = high < 0 ? -1 : nibble(name[2 * n + 1]);
    if (low < 0)
      return -1;
    i->u.key[n] = (uint8_t)(high << 4 | low);
  }
  i->flags = name[64] == '\0' ? CRFS_INODE_DIGEST : 0;
  return 0;
}

const struct crfs_layer *crfs_contents_find(struct crfs_contents *contents, const char *name, uint32_t *inode) {
  struct crfs_inode wanted = {0};
  char proper[CRFS_OBJECT_NAME];
  pthread_mutex_lock(&contents->lock);
  if (contents->slots == NULL)
    make(contents);
  pthread_mutex_unlock(&contents->lock);
  if (contents->slots == NULL || parse(name, &wanted) < 0)
    return NULL;
  crfs_object_name(proper, &wanted);
  const struct crfs_place *place = &contents->slots[find_slot(contents, &wanted)];
  if (place->layer == 0 || strcmp(proper + DIRECTORY_LENGTH, name) != 0)
    return NULL;
  *inode = place->inode;
  return contents->tree->layers[place->layer - 1];
}
