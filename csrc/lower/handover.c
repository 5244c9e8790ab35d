/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

union fd_space {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int))];
};

int crfs_handover_give(int socket, int root) {
  union fd_space space = {0};
  char byte = 0;
  struct iovec part = {&byte, 1};
  struct msghdr packet = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  struct cmsghdr *rights = CMSG_FIRSTHDR(&packet);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof root);
  memcpy(CMSG_DATA(rights), &root, sizeof root);
  prctl(PR_SET_PDEATHSIG, 0); /* whoever takes it ends once it has */
  return sendmsg(socket, &packet, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

void crfs_handover_wait(int socket) {
  char byte;
  while (recv(socket, &byte, sizeof byte, 0) < 0 && errno == EINTR)
    ;
}

int crfs_handover_take(int socket) {
  union fd_space space;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr packet = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  ssize_t got;
  int root = -1;
  do
    got = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const struct cmsghdr *rights = got == 1 ? CMSG_FIRSTHDR(&packet) : NULL;
  if (rights != NULL && rights->cmsg_len == CMSG_LEN(sizeof root))
    memcpy(&root, CMSG_DATA(rights), sizeof root);
  return root;
}
