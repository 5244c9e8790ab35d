/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Packets with descriptors, as a control connection takes them: for programs that play one of its ends. */

#ifndef CRFS_TEST_PACKET_H
#define CRFS_TEST_PACKET_H

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PACKET_FDS 8

/* Sends two parts as one packet, with COUNT descriptors, at most PACKET_FDS. Returns what sendmsg does. */
static inline ssize_t send_parts(int socket, struct iovec parts[2], const int *fds, int count, int flags) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
  } space = {0};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  if (count > 0) {
    message.msg_control = &space;
    message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(part), fds, (size_t)count * sizeof(int));
  }
  return sendmsg(socket, &message, flags);
}

#endif
