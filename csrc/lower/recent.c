/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/recent.h"

#include "lazy/loop.h"

#include <string.h>
#include <unistd.h>

#define INTERVAL 5 /* seconds: as often as the daemon looks whether the cache is too large */

void crfs_recent_begin(struct crfs_recent *recent, struct crfs_channel channel) {
  memset(recent, 0, sizeof *recent);
  recent->channel = channel;
  pthread_mutex_init(&recent->lock, NULL);
}

/* Moves the file at PLACE of a set to its front. */
static struct crfs_file *refresh(struct crfs_recent_file *set, int place) {
  const struct crfs_recent_file found = set[place];
  memmove(set + 1, set, (size_t)place * sizeof *set);
  set[0] = found;
  return found.file;
}

struct crfs_file *crfs_recent_hold(struct crfs_recent *recent, uint64_t node, const struct crfs_layer *layer,
                                   uint32_t inode) {
  struct crfs_recent_file *set = recent->sets[(node * 0x9e3779b97f4a7c15ull) >> 58];
  struct crfs_file *file = NULL, *forgotten = NULL;
  int place = 0;
  pthread_mutex_lock(&recent->lock);
  while (place < CRFS_RECENT_WAYS - 1 && set[place].node != node && set[place].node != 0)
    place++;
  if (set[place].node == node) {
    file = refresh(set, place);
  } else if ((file = crfs_file_make(&recent->channel, layer, inode)) != NULL) {
    forgotten = set[place].file;
    set[place] = (struct crfs_recent_file){.node = node, .file = file};
    refresh(set, place);
  }
  if (file != NULL)
    crfs_file_keep(file);
  pthread_mutex_unlock(&recent->lock);
  if (forgotten != NULL)
    crfs_file_release(forgotten);
  return file;
}

/* The file at a place of a set, held, or NULL. */
static struct crfs_file *hold_at(struct crfs_recent *recent, int set, int place) {
  pthread_mutex_lock(&recent->lock);
  struct crfs_file *file = recent->sets[set][place].file;
  if (file != NULL)
    crfs_file_keep(file);
  pthread_mutex_unlock(&recent->lock);
  return file;
}

static void let_go(struct crfs_recent *recent) {
  struct crfs_file *file;
  for (int set = 0; set < CRFS_RECENT_SETS; set++)
    for (int place = 0; place < CRFS_RECENT_WAYS && (file = hold_at(recent, set, place)) != NULL; place++) {
      crfs_file_let_go(file);
      crfs_file_release(file);
    }
}

static void *watch(void *recent) {
  while (sleep(INTERVAL) == 0)
    let_go(recent);
  return NULL;
}

void crfs_recent_watch(struct crfs_recent *recent) {
  pthread_t thread;
  if (crfs_loop_thread(&thread, watch, recent) == 0)
    pthread_detach(thread);
}
