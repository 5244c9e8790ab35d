/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/control.h"

#include "shared/ring.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static enum crfs_outcome gone(struct crfs_failure *failure) {
  crfs_fail(failure, ECONNRESET, "the daemon ended: its log tells why, or it was killed, as for want of memory");
  return CRFS_GONE;
}

/* For what would leave questions and answers out of step. */
static enum crfs_outcome break_off(struct crfs_control *control, struct crfs_failure *failure, int error,
                                   const char *what) {
  shutdown(control->socket, SHUT_RDWR);
  crfs_fail(failure, error, "%s; `crfs stop` ends it, and the next mount starts another", what);
  return CRFS_REFUSED;
}

static int check_peer(int socket, struct crfs_failure *failure) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
    return crfs_fail(failure, errno, "cannot tell whose daemon answers: %s", strerror(errno));
  if (peer.uid != geteuid())
    return crfs_fail(failure, EPERM, "the daemon belongs to user %u, and this mount to user %u; end that daemon",
                     (unsigned)peer.uid, (unsigned)geteuid());
  return 0;
}

int crfs_control_connect(struct crfs_control *control, int directory, struct crfs_failure *failure) {
  const struct timeval patience = {.tv_sec = CRFS_SILENCE_MS / 1000};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  control->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (control->socket < 0)
    return crfs_fail(failure, errno, "cannot make a socket: %s", strerror(errno));
  setsockopt(control->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  /* through the descriptor, of this thread: a path may be too long for sun_path */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/thread-self/fd/%d/control.sock", directory);
  int result = connect(control->socket, (const struct sockaddr *)&address, sizeof address);
  if (result < 0)
    crfs_fail(failure, errno, "cannot reach the daemon: %s; its log may tell why, or `crfs daemon --foreground`",
              strerror(errno));
  else
    result = check_peer(control->socket, failure);
  if (result < 0) {
    close(control->socket);
    control->socket = -1;
  }
  return result;
}

union fd_space {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(CRFS_CONTROL_FD_LIMIT * sizeof(int))];
};

static enum crfs_outcome send_question(struct crfs_control *control, const struct crfs_question *question,
                                       struct crfs_failure *failure) {
  const struct crfs_message *message = &question->message;
  struct iovec parts[] = {{(void *)(uintptr_t)message, sizeof *message},
                          {(void *)(uintptr_t)question->text, message->text_length}};
  struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};
  union fd_space space = {0};
  if (question->fd >= 0) {
    packet.msg_control = &space;
    packet.msg_controllen = CMSG_SPACE(sizeof(int));
    struct cmsghdr *part = CMSG_FIRSTHDR(&packet);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &question->fd, sizeof(int));
  }
  ssize_t sent;
  do
    sent = sendmsg(control->socket, &packet, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent >= 0)
    return CRFS_ANSWERED;
  if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
    return gone(failure);
  return break_off(control, failure, errno, "the daemon takes no questions");
}

/* Returns 1 once there is something to read, else 0. */
static int wait_readable(int socket, uint64_t until_ns) {
  for (;;) {
    uint64_t now = crfs_now_ns();
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    int polled = poll(&wait, 1, now >= until_ns ? 0 : (int)((until_ns - now) / 1000000 + 1));
    if (polled > 0)
      return 1;
    if (polled == 0)
      return 0;
  }
}

/* Takes the descriptors out of PACKET: up to CRFS_CONTROL_FD_LIMIT. Returns how many. */
static int take_descriptors(struct msghdr *packet, int *fds) {
  int count = 0;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(packet); part != NULL; part = CMSG_NXTHDR(packet, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    size_t bytes = part->cmsg_len - CMSG_LEN(0);
    memcpy(fds + count, CMSG_DATA(part), bytes);
    count += (int)(bytes / sizeof(int));
  }
  return count;
}

/* Receives one packet. FDS has room for CRFS_CONTROL_FD_LIMIT; *COUNT of them are the caller's in any case. */
static enum crfs_outcome receive(struct crfs_control *control, int *fds, int *count, uint64_t deadline_ns,
                                 struct crfs_failure *failure) {
  uint64_t silence = crfs_now_ns() + CRFS_SILENCE_MS * 1000000ull;
  struct iovec parts[] = {{&control->answer, sizeof control->answer}, {control->text, CRFS_CONTROL_TEXT_LIMIT}};
  union fd_space space;
  struct msghdr packet = {
      .msg_iov = parts,
      .msg_iovlen = 2,
      .msg_control = &space,
      .msg_controllen = CMSG_LEN(CRFS_CONTROL_FD_LIMIT * sizeof(int)), /* CMSG_SPACE may have room for one more */
  };
  *count = 0;
  if (!wait_readable(control->socket, silence < deadline_ns ? silence : deadline_ns))
    return break_off(control, failure, ETIMEDOUT,
                     silence < deadline_ns ? "the daemon is stuck: it said nothing for 15 s"
                                           : "the daemon did not answer in time");
  ssize_t got;
  do
    got = recvmsg(control->socket, &packet, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got == 0 || (got < 0 && errno == ECONNRESET))
    return gone(failure);
  if (got < 0)
    return break_off(control, failure, errno, "cannot read the daemon's answer");
  *count = take_descriptors(&packet, fds);
  if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || (size_t)got < sizeof control->answer ||
      control->answer.text_length != (size_t)got - sizeof control->answer)
    return break_off(control, failure, EPROTO, "the daemon's answer is malformed");
  control->text[control->answer.text_length] = '\0';
  return CRFS_ANSWERED;
}

enum crfs_outcome crfs_control_ask(struct crfs_control *control, const struct crfs_question *question, int *fds,
                                   uint64_t deadline_ns, struct crfs_failure *failure) {
  int received[CRFS_CONTROL_FD_LIMIT], count = 0;
  enum crfs_outcome outcome = send_question(control, question, failure);
  while (outcome == CRFS_ANSWERED) {
    outcome = receive(control, received, &count, deadline_ns, failure);
    if (outcome != CRFS_ANSWERED || control->answer.type != CRFS_BUSY || count != 0)
      break;
  }
  if (outcome == CRFS_ANSWERED && control->answer.type == question->answer && count == question->answer_fds) {
    for (int i = 0; i < count; i++)
      fds[i] = received[i];
    return CRFS_ANSWERED;
  }
  for (int i = 0; i < count; i++)
    close(received[i]);
  if (outcome != CRFS_ANSWERED)
    return outcome;
  if (control->answer.type != CRFS_ERROR || count != 0)
    return break_off(control, failure, EPROTO, "the daemon gave an answer to another question");
  uint32_t error = control->answer.error.error;
  crfs_fail(failure, error > 0 && error < CRFS_ERRNO_LIMIT ? (int)error : EIO, "%s", control->text);
  return CRFS_REFUSED;
}

void crfs_control_here(const struct crfs_control *control) {
  const struct crfs_message here = {.type = CRFS_HERE};
  if (send(control->socket, &here, sizeof here, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return;
}

int crfs_control_is_gone(const struct crfs_control *control) {
  struct pollfd look = {.fd = control->socket, .events = POLLRDHUP};
  return poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) != 0;
}
