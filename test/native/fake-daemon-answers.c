/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/fake-daemon.h"
#include "native/packet.h"
#include "shared/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void answer(int socket, struct crfs_message message, const char *text, const int *fds, int count) {
  message.text_length = (uint32_t)strlen(text) + (fault("bad-length") ? 1 : 0);
  struct iovec parts[] = {{&message, sizeof message}, {(void *)(uintptr_t)text, strlen(text)}};
  send_parts(socket, parts, fds, count, MSG_NOSIGNAL);
}

static void welcome(struct mount *m, int ring_fd) {
  char name[32];
  m->ring = mmap(NULL, sizeof *m->ring, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
  need(m->ring != MAP_FAILED && m->ring->magic == CRFS_RING_MAGIC, "ring");
  need(fcntl(ring_fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), "seals");
  snprintf(name, sizeof name, "tmp/%d.%d", fake.generation, m->socket);
  mkdirat(fake.root, name, 0700);
  int fds[] = {fake.bell_fd, openat(fake.root, "objects", O_RDONLY | O_DIRECTORY),
               openat(fake.root, "drafts", O_RDONLY | O_DIRECTORY), openat(fake.root, name, O_RDONLY | O_DIRECTORY), 0};
  int count = fault("few-descriptors") ? 3 : fault("many-descriptors") ? 5 : 4;
  const struct crfs_message message = {.type = CRFS_WELCOME, .welcome = {.version = CRFS_CONTROL_VERSION}};
  answer(m->socket, message, "", fds, count);
  for (int i = 1; i < 4; i++)
    close(fds[i]);
}

static void refuse(struct mount *m, uint32_t error, const char *why) {
  answer(m->socket, (struct crfs_message){.type = CRFS_ERROR, .error = {.error = error}}, why, NULL, 0);
}

static void opened(struct mount *m, const char *text, int blob) {
  if (fault("die-on-open"))
    exit(0);
  if (fault("stuck"))
    return;
  if (fault("busy"))
    for (int i = 0; i < 3; i++)
      answer(m->socket, (struct crfs_message){.type = CRFS_BUSY}, "", NULL, 0);
  if (fault("busy-descriptor"))
    answer(m->socket, (struct crfs_message){.type = CRFS_BUSY}, "", &fake.root, 1);
  if (fault("refuse"))
    refuse(m, EBADMSG, "no stargz\nlayer");
  else if (fault("wrong-answer"))
    answer(m->socket, (struct crfs_message){.type = CRFS_WELCOME}, "", NULL, 0);
  else if (text[0] == '/' && blob < 0)
    refuse(m, EINVAL, "no blob came along");
  else
    answer(m->socket,
           (struct crfs_message){.type = CRFS_OPENED, .opened = {.source = (uint32_t)fake.generation, .layers = 2}},
           text, NULL, 0);
}

static void layer(struct mount *m, const struct crfs_message_layer *question) {
  static const uint8_t any[32];
  if (question->source != (uint32_t)fake.generation ||
      (fake.generation > 1 && strcmp(fake.fault, "first-die-on-open") != 0 &&
       memcmp(question->digest, any, sizeof any) == 0)) {
    refuse(m, EINVAL, "asked as nobody should");
    return;
  }
  struct crfs_message message = {.type = CRFS_LAYER_INDEX,
                                 .layer_index = {.number = (uint32_t)fake.generation * 100 + question->place}};
  memcpy(message.layer_index.digest, fake.sample->key, sizeof message.layer_index.digest);
  if (fault("other-digest"))
    message.layer_index.digest[0]++;
  int fds[] = {fault("bad-index") ? fake.root : fake.index_fd};
  answer(m->socket, message, "", fds, 1);
}

int converse(struct mount *m) {
  struct {
    struct crfs_message message;
    char text[CRFS_CONTROL_TEXT_LIMIT + 1];
  } packet;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } space;
  struct iovec part = {&packet, sizeof packet - 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  ssize_t got = recvmsg(m->socket, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0)
    return 0;
  need((size_t)got == sizeof packet.message + packet.message.text_length, "length of a question");
  packet.text[packet.message.text_length] = '\0';
  int fd = -1;
  if (CMSG_FIRSTHDR(&message) != NULL)
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  if (packet.message.type == CRFS_HELLO)
    welcome(m, fd);
  else if (packet.message.type == CRFS_OPEN)
    opened(m, packet.text, fd);
  else if (packet.message.type == CRFS_LAYER)
    layer(m, &packet.message.layer);
  if (fd >= 0)
    close(fd);
  return 1;
}
