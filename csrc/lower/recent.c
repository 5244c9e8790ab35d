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
  pthread_cond_init(&recent->read, NULL);
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
  if (!recent->was_read) {
    recent->was_read = 1;
    pthread_cond_signal(&recent->read);
  }
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

static void let_go_of_removed(struct crfs_recent *recent, int set) {
  struct crfs_file *file;
  for (int place = 0; place < CRFS_RECENT_WAYS && (file = hold_at(recent, set, place)) != NULL; place++) {
    crfs_file_let_go(file);
    crfs_file_release(file);
  }
}

static void forget(struct crfs_recent *recent, int set) {
  struct crfs_recent_file forgotten[CRFS_RECENT_WAYS];
  pthread_mutex_lock(&recent->lock);
  memcpy(forgotten, recent->sets[set], sizeof forgotten);
  memset(recent->sets[set], 0, sizeof forgotten);
  pthread_mutex_unlock(&recent->lock);
  for (int place = 0; place < CRFS_RECENT_WAYS && forgotten[place].file != NULL; place++)
    crfs_file_release(forgotten[place].file);
}

static void wait_for_read(struct crfs_recent *recent) {
  pthread_mutex_lock(&recent->lock);
  while (!recent->was_read)
    pthread_cond_wait(&recent->read, &recent->lock);
  recent->was_read = 0;
  pthread_mutex_unlock(&recent->lock);
}

static int was_read(struct crfs_recent *recent) {
  pthread_mutex_lock(&recent->lock);
  int was = recent->was_read;
  pthread_mutex_unlock(&recent->lock);
  return was;
}

static void *watch(void *argument) {
  struct crfs_recent *recent = argument;
  for (;;) {
    wait_for_read(recent);
    sleep(INTERVAL);
    void (*act)(struct crfs_recent *, int) = was_read(recent) ? let_go_of_removed : forget;
    for (int set = 0; set < CRFS_RECENT_SETS; set++)
      act(recent, set);
  }
  return NULL;
}

void crfs_recent_watch(struct crfs_recent *recent) {
  pthread_t thread;
  if (crfs_loop_thread(&thread, watch, recent) == 0)
    pthread_detach(thread);
}
