/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/visitor.h"

#include "client/connection.h"
#include "client/timeout.h"
#include "lazy/loop.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE_VISIT_NS 1000000000ull /* one program looks several times, and runs others that do */

/* A program is told by its file: what runs itself anew, as podman does without root, has another name then. */
static int asks_for_layers(pid_t pid) {
  static const char *const programs[] = {"podman", "buildah", "skopeo", "crio", NULL};
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = '\0';
  const char *slash = strrchr(path, '/');
  for (const char *const *program = programs; *program != NULL && slash != NULL; program++)
    if (strcmp(slash + 1, *program) == 0)
      return 1;
  return 0;
}

/* Says hello to the daemon, which it starts where there is none. Whoever asks for a layer connects anew. */
static void say_hello(const char *directory) {
  struct crfs_contact *contact = calloc(1, sizeof *contact);
  struct crfs_connection *connection = NULL;
  struct crfs_failure ignored;
  if (contact == NULL)
    return;
  contact->command.near = asks_for_layers;
  if (crfs_timeout_read(&contact->timeout_ns, &ignored) == 0 &&
      crfs_introduce(&contact->introduction, directory, &ignored) == 0)
    connection = crfs_connection_open(contact, crfs_now_ns() + contact->timeout_ns, &ignored);
  if (connection != NULL)
    crfs_connection_release(connection);
  free(contact);
}

static void *receive(void *argument) {
  struct crfs_visitors *visitors = argument;
  say_hello(visitors->directory);
  __atomic_store_n(&visitors->last_ns, crfs_now_ns(), __ATOMIC_RELAXED);
  __atomic_store_n(&visitors->is_receiving, 0, __ATOMIC_RELEASE);
  return NULL;
}

void crfs_visitor_came(struct crfs_visitors *visitors, pid_t pid) {
  pthread_t thread;
  if (crfs_now_ns() - __atomic_load_n(&visitors->last_ns, __ATOMIC_RELAXED) < ONE_VISIT_NS || !asks_for_layers(pid) ||
      __atomic_exchange_n(&visitors->is_receiving, 1, __ATOMIC_ACQUIRE) != 0)
    return;
  if (crfs_loop_thread(&thread, receive, visitors) == 0)
    pthread_detach(thread);
  else
    __atomic_store_n(&visitors->is_receiving, 0, __ATOMIC_RELEASE);
}
