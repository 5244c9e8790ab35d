/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/shelf.h"

#include "client/mapping.h"
#include "client/stored.h"
#include "client/timeout.h"
#include "lazy/loop.h"
#include "lower/tree.h"
#include "shared/doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int crfs_shelf_begin(struct crfs_shelf *shelf, struct crfs_tree *tree, const char *directory, uint64_t patience_ns) {
  pthread_condattr_t monotonic;
  *shelf = (struct crfs_shelf){.directory = directory, .patience_ns = patience_ns, .tree = tree};
  pthread_mutex_init(&shelf->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&shelf->answered, &monotonic);
  shelf->references = calloc(CRFS_SHELF_REFERENCES, sizeof *shelf->references);
  shelf->stored = calloc(CRFS_SHELF_LAYERS, sizeof *shelf->stored);
  tree->layers = calloc(CRFS_SHELF_LAYERS, sizeof *tree->layers);
  if (shelf->references == NULL || shelf->stored == NULL || tree->layers == NULL)
    return -1;
  return crfs_shelf_reference(shelf, "") == NULL ? -1 : 0; /* number 0 */
}

/* With `lock` held. */
static struct crfs_reference *add_reference(struct crfs_shelf *shelf, const char *name) {
  struct crfs_reference *reference =
      shelf->reference_count == CRFS_SHELF_REFERENCES ? NULL : calloc(1, sizeof *reference);
  if (reference == NULL)
    return NULL;
  snprintf(reference->name, sizeof reference->name, "%s", name);
  reference->number = shelf->reference_count;
  shelf->references[shelf->reference_count++] = reference;
  return reference;
}

struct crfs_reference *crfs_shelf_reference(struct crfs_shelf *shelf, const char *name) {
  struct crfs_reference *found = NULL;
  pthread_mutex_lock(&shelf->lock);
  for (uint32_t n = 0; n < shelf->reference_count && found == NULL; n++)
    if (strcmp(shelf->references[n]->name, name) == 0)
      found = shelf->references[n];
  if (found == NULL)
    found = add_reference(shelf, name);
  pthread_mutex_unlock(&shelf->lock);
  return found;
}

struct crfs_reference *crfs_shelf_reference_at(struct crfs_shelf *shelf, uint32_t number) {
  pthread_mutex_lock(&shelf->lock);
  struct crfs_reference *found = number < shelf->reference_count ? shelf->references[number] : NULL;
  pthread_mutex_unlock(&shelf->lock);
  return found;
}

struct crfs_stored *crfs_shelf_at(struct crfs_shelf *shelf, uint32_t slot) {
  return slot < __atomic_load_n(&shelf->tree->count, __ATOMIC_ACQUIRE) ? shelf->stored[slot] : NULL;
}

/* Lets go of what was opened. */
static void close_layer(struct crfs_stored *stored) {
  crfs_session_remove(&stored->layer);
  crfs_mapping_drop(&stored->layer);
  crfs_session_end(&stored->session);
}

/* Has the daemon open the layer of STORED. Returns 0, or -1: there is none. */
static int open_layer(struct crfs_stored *stored) {
  struct crfs_front_end front_end = {.mountpoint = stored->shelf->directory, .object = open_layer};
  struct crfs_failure failure;
  if (crfs_timeout_read(&front_end.timeout_ns, &failure) < 0 ||
      crfs_session_begin(&stored->session, &front_end, &failure) < 0)
    return -1;
  stored->layer.source = crfs_session_source(&stored->session, stored->asked, &failure);
  if (stored->layer.source == NULL) {
    crfs_report(stored->asked, &failure);
    crfs_session_end(&stored->session);
    return -1;
  }
  if (crfs_session_add(&stored->layer, &failure) == 0 &&
      crfs_stored_describe(&stored->layer, &stored->info, &stored->blob_size, &failure) == 0)
    return 0;
  crfs_report(stored->asked, &failure);
  close_layer(stored);
  return -1;
}

/* Shows the layer of STORED from now on. Returns 0, or -1: there are too many. With `lock` held. */
static int show(struct crfs_stored *stored) {
  struct crfs_tree *tree = stored->shelf->tree;
  if (tree->count == CRFS_SHELF_LAYERS)
    return -1;
  stored->layer.slot = tree->count;
  stored->shelf->stored[tree->count] = stored;
  tree->layers[tree->count] = &stored->layer;
  __atomic_store_n(&tree->count, tree->count + 1, __ATOMIC_RELEASE); /* behind all that a reader of it looks at */
  return 0;
}

/* Takes STORED out of the list of its image: it is not there. With `lock` held. */
static void forget(const struct crfs_stored *stored) {
  struct crfs_stored **link = &stored->reference->layers;
  while (*link != stored)
    link = &(*link)->next;
  *link = stored->next;
}

/* Frees what is not there, once nobody waits for it any more. With `lock` held. */
static void release(struct crfs_stored *stored) {
  if (--stored->held > 0 || stored->found >= 0)
    return;
  free(stored->info);
  free(stored->asked);
  free(stored);
}

/* A thread of its own for each layer that the daemon is asked for: no answer to the kernel waits longer than is
 * patient, and what comes later is there when it is asked for again. */
static void *look_for(void *argument) {
  struct crfs_stored *stored = argument;
  struct crfs_shelf *shelf = stored->shelf;
  int opened = open_layer(stored) == 0;
  pthread_mutex_lock(&shelf->lock);
  stored->found = opened && show(stored) == 0 ? 1 : -1;
  if (opened && stored->found < 0)
    close_layer(stored);
  stored->reference->since_ns = crfs_now_ns();
  stored->reference->pending--;
  shelf->pending--;
  if (stored->found < 0)
    forget(stored);
  release(stored);
  pthread_cond_broadcast(&shelf->answered);
  pthread_mutex_unlock(&shelf->lock);
  return NULL;
}

/* One that nobody has asked for yet. */
static struct crfs_stored *make(struct crfs_shelf *shelf, struct crfs_reference *reference, const char *digest) {
  struct crfs_stored *stored = calloc(1, sizeof *stored);
  if (stored == NULL || asprintf(&stored->asked, "docker://%s#%s", reference->name, digest) < 0) {
    free(stored);
    return NULL;
  }
  stored->shelf = shelf;
  stored->reference = reference;
  memcpy(stored->digest, digest, sizeof stored->digest);
  return stored;
}

/* Begins to ask for a layer. With `lock` held. */
static struct crfs_stored *begin(struct crfs_shelf *shelf, struct crfs_reference *reference, const char *digest) {
  struct crfs_stored *stored = shelf->pending == CRFS_SHELF_PENDING ? NULL : make(shelf, reference, digest);
  pthread_t thread;
  if (stored == NULL)
    return NULL;
  stored->held = 1;
  if (crfs_loop_thread(&thread, look_for, stored) != 0) {
    stored->found = -1;
    release(stored);
    return NULL;
  }
  pthread_detach(thread);
  stored->next = reference->layers;
  reference->layers = stored;
  if (reference->pending++ == 0)
    reference->since_ns = crfs_now_ns();
  shelf->pending++;
  return stored;
}

/* Waits for the next answer. Returns whether that is still patient. With `lock` held. */
static int wait(struct crfs_shelf *shelf, const struct crfs_reference *reference) {
  const uint64_t until = reference->since_ns + shelf->patience_ns;
  const struct timespec at = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
  if (crfs_now_ns() < until)
    pthread_cond_timedwait(&shelf->answered, &shelf->lock, &at);
  return crfs_now_ns() < reference->since_ns + shelf->patience_ns;
}

struct crfs_stored *crfs_shelf_find(struct crfs_shelf *shelf, struct crfs_reference *reference, const char *digest) {
  pthread_mutex_lock(&shelf->lock);
  struct crfs_stored *stored = reference->layers;
  while (stored != NULL && strcmp(stored->digest, digest) != 0)
    stored = stored->next;
  if (stored == NULL)
    stored = begin(shelf, reference, digest);
  if (stored != NULL) {
    stored->held++;
    while (stored->found == 0 && wait(shelf, reference))
      ;
    struct crfs_stored *waited_for = stored;
    stored = stored->found == 1 ? stored : NULL;
    release(waited_for);
  }
  pthread_mutex_unlock(&shelf->lock);
  return stored;
}
