/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/fake-daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Requests that are held up. */
static struct held {
  struct crfs_ring *ring;
  uint32_t position;
  struct crfs_request request;
} held[1024];
static int held_count;

static int is_open(void) {
  return faccessat(fake.root, "gate", F_OK, 0) == 0;
}

/* The chunk that some faults are about is the third of a file. */
static int has_third(const struct crfs_request *out) {
  return out->chunk_first <= 2 && out->chunk_count > 2 - out->chunk_first;
}

static int is_held_up(const struct crfs_request *out) {
  return fault("hold-third") && has_third(out) && !is_open();
}

static uint32_t error_of(const struct crfs_request *out, int number) {
  if (out->layer / 100 != (uint32_t)fake.generation)
    return EBADF;
  if (fault("eio") || (fault("eio-first") && number == 0))
    return EIO;
  if (fault("enospc"))
    return ENOSPC;
  if ((fault("again") && number < 3) || fault("always-again") || fault("again-filled"))
    return EAGAIN;
  if (fault("network") && (out->flags & CRFS_REQUEST_QUICK) != 0)
    return EINPROGRESS;
  return fault("nonsense") ? 1u << 20 : 0;
}

static void complete(struct crfs_ring *ring, uint32_t position, const struct crfs_request *out, int number) {
  uint32_t error = error_of(out, number);
  if ((error == 0 && !fault("lie")) || fault("again-filled"))
    fill(out->inode, out->chunk_first, out->chunk_count);
  crfs_ring_complete(ring, position, error);
}

static void hold_up(const struct held *request) {
  need(held_count < (int)(sizeof held / sizeof held[0]), "room for what is held up");
  held[held_count++] = *request;
  int fd = openat(fake.root, "held", O_WRONLY | O_CREAT | O_APPEND, 0600);
  need(write(fd, "", 1) == 1, "to say how many are held up");
  close(fd);
}

void serve(struct mount *m) {
  static int requests;
  struct held request = {.ring = m->ring};
  while (m->ring != NULL && crfs_ring_claim(m->ring, &m->tail, &request.position, &request.request) != NULL) {
    int number = requests++;
    if (fault("die") || (fault("die-later") && number == 2))
      exit(0);
    if (is_held_up(&request.request))
      hold_up(&request);
    else if (!fault("silent"))
      complete(m->ring, request.position, &request.request, number);
  }
  while (held_count > 0 && is_open()) {
    const struct held *h = &held[--held_count];
    complete(h->ring, h->position, &h->request, requests);
  }
}
