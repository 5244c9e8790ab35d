/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A mount that lies: connects to the control socket of a real daemon, again and again, and sends what no plugin would:
 * packets of any type, length and number of descriptors, rings that are none, and nonsense in a ring that is one. What
 * the daemon answers must be whole messages of the protocol.
 *
 *   hostile SOCKET LAYER SEED SECONDS      prints "sessions N packets N answers N"
 */

#include "native/check.h"
#include "native/packet.h"
#include "shared/control.h"
#include "shared/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MOST_FDS 6

static unsigned long long state;
static unsigned long sessions, packets, answers;
static const char *layer;
static struct crfs_ring *ring;
static struct crfs_doorbell *doorbell;

static uint32_t below(uint32_t limit) {
  return (uint32_t)(next_random(&state) >> 32) % limit;
}

/* Small, near the limits of 32 bits, or anything. */
static uint32_t number(void) {
  switch (below(4)) {
  case 0:
    return UINT32_MAX - below(3);
  case 1:
    return (uint32_t)next_random(&state);
  default:
    return below(4);
  }
}

static int sealed(size_t size, int seals) {
  int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

/* A ring as it should be, which we keep mapped to write nonsense into. */
static int good_ring(void) {
  int fd = sealed(sizeof *ring, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  if (ring != NULL)
    munmap(ring, sizeof *ring);
  ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(ring != MAP_FAILED);
  crfs_ring_init(ring);
  return fd;
}

static int some_fd(void) {
  int ends[2];
  switch (below(8)) {
  case 0:
    return good_ring();
  case 1:
    return sealed(sizeof *ring, 0);
  case 2:
    return sealed(below(2) ? 0 : sizeof *ring - 1, F_SEAL_SHRINK | F_SEAL_GROW);
  case 3:
    return sealed(sizeof *ring, F_SEAL_SHRINK | F_SEAL_GROW); /* all zeros: no magic */
  case 4:
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[1]);
    return ends[0];
  case 5:
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  case 6:
    return open("/dev/null", O_RDWR | O_CLOEXEC);
  default:
    return open(layer, O_RDONLY | O_CLOEXEC);
  }
}

static size_t some_text(char *text) {
  static const char *const texts[] = {
      "", "/", "//", "file:///x", "docker://", "docker://:::", "http://", "\xff\xfe", "../x"};
  size_t length;
  switch (below(4)) {
  case 0:
    length = strlen(layer);
    memcpy(text, layer, length);
    return length;
  case 1:
    length = below(2) ? CRFS_CONTROL_TEXT_LIMIT : below(CRFS_CONTROL_TEXT_LIMIT + 200);
    memset(text, below(256) | (below(2) ? '/' : 0), length);
    return length;
  default:
    length = strlen(strcpy(text, texts[below(sizeof texts / sizeof texts[0])]));
    return length;
  }
}

static void send_packet(int socket, const struct crfs_message *message, const char *text, size_t length, size_t cut,
                        const int *fds, int count) {
  struct iovec parts[] = {{(void *)(uintptr_t)message, sizeof *message - cut}, {(void *)(uintptr_t)text, length}};
  if (send_parts(socket, parts, fds, count, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
    packets++;
}

static void hello(int socket) {
  const struct crfs_message message = {.type = CRFS_HELLO, .hello = {.version = CRFS_CONTROL_VERSION}};
  int fd = good_ring();
  send_packet(socket, &message, "", 0, 0, &fd, 1);
  close(fd);
}

static void nonsense(int socket) {
  static char text[CRFS_CONTROL_TEXT_LIMIT + 256];
  int fds[MOST_FDS], count = below(3) ? (int)below(2) : (int)below(MOST_FDS + 1);
  size_t length = some_text(text);
  struct crfs_message message = {.type = below(9) ? 1 + below(16) : number(),
                                 .layer = {.source = number(), .place = number()}};
  message.text_length = below(8) ? (uint32_t)length : number();
  if (message.type == CRFS_HELLO && below(2))
    message.hello.version = CRFS_CONTROL_VERSION;
  if (below(4) == 0)
    memset(message.layer.digest, (int)below(256), sizeof message.layer.digest);
  for (int i = 0; i < count; i++)
    fds[i] = some_fd();
  send_packet(socket, &message, text, length, below(16) ? 0 : below(sizeof message + 1), fds, count);
  for (int i = 0; i < count; i++)
    close(fds[i]);
}

/* Opens the layer, as a plugin does. */
static void mount(int socket) {
  const struct crfs_message first = {.type = CRFS_OPEN, .text_length = (uint32_t)strlen(layer)};
  const struct crfs_message second = {.type = CRFS_LAYER};
  int fd = open(layer, O_RDONLY | O_CLOEXEC);
  send_packet(socket, &first, layer, strlen(layer), 0, &fd, 1);
  close(fd);
  send_packet(socket, &second, "", 0, 0, NULL, 0);
}

/* Nonsense in the ring, and requests that look like some. */
static void scribble(void) {
  if (ring == NULL)
    return;
  uint32_t *words = (uint32_t *)ring;
  for (uint32_t n = below(20); n > 0; n--)
    __atomic_store_n(&words[below(sizeof *ring / sizeof *words)], number(), __ATOMIC_RELAXED);
  uint32_t position;
  struct crfs_request *request = crfs_ring_reserve(ring, &position, 0);
  if (request == NULL || doorbell == NULL)
    return;
  request->layer = number();
  request->inode = number();
  request->chunk_first = number();
  request->chunk_count = number();
  crfs_ring_publish(ring, position, doorbell);
}

static void take_descriptors(struct msghdr *packet, uint32_t type) {
  int taken = 0;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(packet); part != NULL; part = CMSG_NXTHDR(packet, part)) {
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (type == CRFS_WELCOME && taken++ == 0 && doorbell == NULL) {
        doorbell = mmap(NULL, sizeof *doorbell, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(doorbell != MAP_FAILED);
      }
      close(fd);
    }
  }
}

/* Takes an answer, if there is one within so many milliseconds. Returns whether the daemon still listens. */
static int take_answer(int socket, int wait_ms) {
  static char text[CRFS_CONTROL_TEXT_LIMIT + 1];
  struct crfs_message answer;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(CRFS_CONTROL_FD_LIMIT * sizeof(int))];
  } space;
  struct iovec parts[] = {{&answer, sizeof answer}, {text, sizeof text}};
  struct msghdr packet = {
      .msg_iov = parts, .msg_iovlen = 2, .msg_control = &space, .msg_controllen = sizeof space.bytes};
  struct pollfd wait = {.fd = socket, .events = POLLIN};
  if (poll(&wait, 1, wait_ms) <= 0)
    return 1;
  ssize_t got = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
  if (got <= 0)
    return 0;
  CHECK((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0);
  CHECK((size_t)got >= sizeof answer && answer.text_length == (size_t)got - sizeof answer);
  CHECK(answer.type >= CRFS_WELCOME && answer.type <= CRFS_ERROR);
  take_descriptors(&packet, answer.type);
  answers++;
  return 1;
}

static void session(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  CHECK(connection >= 0 && strlen(path) < sizeof address.sun_path);
  strcpy(address.sun_path, path);
  CHECK(connect(connection, (const struct sockaddr *)&address, sizeof address) == 0);
  if (below(4))
    hello(connection);
  if (below(2))
    mount(connection);
  for (uint32_t n = 1 + below(20), alive = 1; n > 0 && alive; n--) {
    if (below(3))
      nonsense(connection);
    scribble();
    alive = (uint32_t)take_answer(connection, (int)below(4));
  }
  if (below(8) == 0) /* more than may wait */
    for (int n = 0; n < 100; n++)
      mount(connection);
  close(connection);
  sessions++;
}

int main(int count, char **arguments) {
  CHECK(count == 5);
  layer = arguments[2];
  state = strtoull(arguments[3], NULL, 10) * 2 + 1;
  for (uint64_t end = crfs_now_ns() + strtoull(arguments[4], NULL, 10) * 1000000000u; crfs_now_ns() < end;)
    session(arguments[1]);
  printf("sessions %lu packets %lu answers %lu\n", sessions, packets, answers);
  return 0;
}
