/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: whatever a daemon answers, the plugin takes it or gives up with an errno, and keeps no descriptor. A byte
 * tells how many descriptors come with a packet, two its length, then follows the packet. */

#include "client/control.h"
#include "native/packet.h"
#include "shared/ring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define PACKETS 8

static void send_packet(int socket, const uint8_t *bytes, size_t length, int count) {
  struct iovec parts[2] = {{(void *)(uintptr_t)bytes, length}};
  int fds[PACKET_FDS];
  for (int i = 0; i < count; i++)
    fds[i] = socket;
  send_parts(socket, parts, fds, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct {
    uint32_t type;
    int fds;
  } answers[] = {{CRFS_WELCOME, 3}, {CRFS_OPENED, 0}, {CRFS_LAYER_INDEX, 1}};
  static struct crfs_control control;
  struct crfs_failure failure = {0};
  int ends[2], fds[CRFS_CONTROL_FD_LIMIT];
  if (size < 1 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return 0;
  int which = data[0] % 3;
  size_t at = 1;
  for (int i = 0; i < PACKETS && size - at >= 3; i++) {
    size_t length = data[at + 1] | (size_t)data[at + 2] << 8;
    length = length < size - at - 3 ? length : size - at - 3;
    send_packet(ends[1], data + at + 3, length, data[at] % PACKET_FDS);
    at += 3 + length;
  }
  shutdown(ends[1], SHUT_WR);
  control.socket = ends[0];
  struct crfs_question question = {.message = {.type = CRFS_OPEN, .text_length = 6},
                                   .text = "/layer",
                                   .fd = -1,
                                   .answer = answers[which].type,
                                   .answer_fds = answers[which].fds};
  enum crfs_outcome outcome = crfs_control_ask(&control, &question, fds, crfs_now_ns() + 1000000000ull, &failure);
  for (int i = 0; outcome == CRFS_ANSWERED && i < question.answer_fds; i++)
    close(fds[i]);
  if (outcome != CRFS_ANSWERED && failure.error <= 0)
    abort();
  close(ends[0]);
  close(ends[1]);
  int next = dup(0); /* a descriptor that was kept would shift the next one */
  static int first = -1;
  first = first < 0 ? next : first;
  if (next != first)
    abort();
  close(next);
  return 0;
}
