/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/fake-daemon.h"
#include "native/packet.h"
#include "native/sample.h"
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
               openat(fake.root, name, O_RDONLY | O_DIRECTORY), 0};
  int count = fault("few-descriptors") ? 2 : fault("many-descriptors") ? 4 : 3;
  const struct crfs_message message = {.type = CRFS_WELCOME, .welcome = {.version = CRFS_CONTROL_VERSION}};
  answer(m->socket, message, "", fds, count);
  close(fds[1]);
  close(fds[2]);
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
  memcpy(message.layer_index.digest, fake.sample->toc_digest, sizeof message.layer_index.digest);
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

static void publish_object(uint32_t number) {
  const struct crfs_inode *i =
      (const struct crfs_inode *)((const char *)fake.sample + fake.sample->inodes.offset) + number;
  char name[68];
  sample_object_name(name, i->u.key);
  int objects = openat(fake.root, "objects", O_RDONLY | O_DIRECTORY);
  name[2] = '\0';
  mkdirat(objects, name, 0700);
  name[2] = '/';
  unsigned char *bytes = malloc(i->size);
  for (uint64_t at = 0; at < i->size; at++)
    bytes[at] = sample_byte(number, at);
  int fd = openat(objects, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  need(write(fd, bytes, i->size) == (ssize_t)i->size && renameat(objects, "new", objects, name) == 0, "object");
  free(bytes);
  close(fd);
  close(objects);
}

void serve(struct mount *m) {
  static int requests;
  struct crfs_request out;
  uint32_t position;
  while (m->ring != NULL && crfs_ring_claim(m->ring, &m->tail, &position, &out) != NULL) {
    int number = requests++;
    if (fault("die"))
      exit(0);
    if (fault("die-later") && number == 2)
      exit(0);
    if (fault("silent"))
      continue;
    uint32_t error = out.layer / 100 != (uint32_t)fake.generation ? EBADF : 0;
    if (fault("eio"))
      error = EIO;
    if ((fault("again") && number < 3) || fault("always-again"))
      error = EAGAIN;
    if (fault("nonsense"))
      error = 1u << 20;
    if (error == 0 && !fault("lie"))
      publish_object(out.inode);
    crfs_ring_complete(m->ring, position, error);
  }
}
