/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/buffers.h"

#include <stdlib.h>

void crfs_buffers_begin(struct crfs_buffers *buffers) {
  *buffers = (struct crfs_buffers){0};
  pthread_mutex_init(&buffers->lock, NULL);
  pthread_cond_init(&buffers->given, NULL);
}

void crfs_buffers_end(struct crfs_buffers *buffers) {
  for (int i = 0; i < CRFS_BUFFERS; i++)
    free(buffers->spare[i]);
  pthread_cond_destroy(&buffers->given);
  pthread_mutex_destroy(&buffers->lock);
}

void *crfs_buffer_take(struct crfs_buffers *buffers) {
  pthread_mutex_lock(&buffers->lock);
  while (buffers->taken == CRFS_BUFFERS)
    pthread_cond_wait(&buffers->given, &buffers->lock);
  const unsigned place = CRFS_BUFFERS - 1 - buffers->taken;
  void *buffer = buffers->spare[place];
  buffers->spare[place] = NULL;
  if (buffer == NULL)
    buffer = malloc(CRFS_BUFFER_SIZE);
  if (buffer != NULL)
    buffers->taken++;
  pthread_mutex_unlock(&buffers->lock);
  return buffer;
}

void crfs_buffer_give(struct crfs_buffers *buffers, void *buffer) {
  pthread_mutex_lock(&buffers->lock);
  buffers->spare[CRFS_BUFFERS - buffers->taken--] = buffer;
  pthread_cond_signal(&buffers->given);
  pthread_mutex_unlock(&buffers->lock);
}
