/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A daemon that serves the sample, and can be told to fail. Runs as `fake-daemon daemon --ready-fd 3`, with
 *
 *   FAKE_ROOT   a directory for its objects, and for `starts`, which counts by its size how often one came up
 *   FAKE        what it does wrong: "first-..." only the first daemon does. */

#include "native/packet.h"
#include "native/sample.h"
#include "shared/control.h"
#include "shared/ring.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MOUNTS 64

static const char *fault_name = "";
static int generation, root, index_fd;
static struct crfs_doorbell *bell;
static int bell_fd;
static const struct crfs_index *sample;
static struct mount {
  int socket;
  uint32_t tail;
  struct crfs_ring *ring;
} mounts[MOUNTS];
static int mount_count;

static void need(int condition, const char *what) {
  if (condition)
    return;
  dprintf(2, "fake daemon: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Whether to fail like that: always, or the first daemon alone ("first-..."). */
static int fault(const char *name) {
  if (strncmp(fault_name, "first-", 6) == 0)
    return generation == 1 && strcmp(fault_name + 6, name) == 0;
  return strcmp(fault_name, name) == 0;
}

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
  snprintf(name, sizeof name, "tmp/%d.%d", generation, m->socket);
  mkdirat(root, name, 0700);
  int fds[] = {bell_fd, openat(root, "objects", O_RDONLY | O_DIRECTORY), openat(root, name, O_RDONLY | O_DIRECTORY), 0};
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
    answer(m->socket, (struct crfs_message){.type = CRFS_BUSY}, "", &root, 1);
  if (fault("refuse"))
    refuse(m, EBADMSG, "no stargz\nlayer");
  else if (fault("wrong-answer"))
    answer(m->socket, (struct crfs_message){.type = CRFS_WELCOME}, "", NULL, 0);
  else if (text[0] == '/' && blob < 0)
    refuse(m, EINVAL, "no blob came along");
  else
    answer(m->socket,
           (struct crfs_message){.type = CRFS_OPENED, .opened = {.source = (uint32_t)generation, .layers = 2}}, text,
           NULL, 0);
}

static void layer(struct mount *m, const struct crfs_message_layer *question) {
  static const uint8_t any[32];
  if (question->source != (uint32_t)generation || (generation > 1 && strcmp(fault_name, "first-die-on-open") != 0 &&
                                                   memcmp(question->digest, any, sizeof any) == 0)) {
    refuse(m, EINVAL, "asked as nobody should");
    return;
  }
  struct crfs_message message = {.type = CRFS_LAYER_INDEX,
                                 .layer_index = {.number = (uint32_t)generation * 100 + question->place}};
  memcpy(message.layer_index.digest, sample->toc_digest, sizeof message.layer_index.digest);
  if (fault("other-digest"))
    message.layer_index.digest[0]++;
  int fds[] = {fault("bad-index") ? root : index_fd};
  answer(m->socket, message, "", fds, 1);
}

/* Returns 0 once the mount is gone. */
static int converse(struct mount *m) {
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
  const struct crfs_inode *i = (const struct crfs_inode *)((const char *)sample + sample->inodes.offset) + number;
  char name[68];
  sample_object_name(name, i->u.key);
  int objects = openat(root, "objects", O_RDONLY | O_DIRECTORY);
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

static void serve(struct mount *m) {
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
    uint32_t error = out.layer / 100 != (uint32_t)generation ? EBADF : 0;
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

static int listen_on_socket(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/crfs-plugin/control.sock", getenv("XDG_CACHE_HOME"));
  int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  unlink(address.sun_path);
  need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
  if (fault("foreign"))
    need(seteuid(65534) == 0, "seteuid");
  need(listen(listener, MOUNTS) == 0, "listen");
  need(seteuid(getuid()) == 0, "seteuid");
  return listener;
}

static void prepare(void) {
  static _Alignas(8) char bytes[SAMPLE_SIZE];
  const char *directory = getenv("FAKE_ROOT");
  root = open(directory, O_RDONLY | O_DIRECTORY);
  need(root >= 0, "FAKE_ROOT");
  int lock = openat(root, "lock", O_RDWR | O_CREAT, 0600);
  if (flock(lock, LOCK_EX | LOCK_NB) < 0)
    exit(0);
  int starts = openat(root, "starts", O_WRONLY | O_CREAT | O_APPEND, 0600);
  struct stat st;
  need(write(starts, "+", 1) == 1 && fstat(starts, &st) == 0, "starts");
  generation = (int)st.st_size;
  mkdirat(root, "objects", 0700);
  mkdirat(root, "tmp", 0700);
  size_t size = sample_index(bytes);
  sample = (const struct crfs_index *)bytes;
  index_fd = memfd_create("index", 0);
  need(write(index_fd, bytes, size) == (ssize_t)size, "index");
  bell_fd = memfd_create("bell", 0);
  need(ftruncate(bell_fd, sizeof *bell) == 0, "doorbell");
}

/* Complains about what it should not have inherited. */
static void check_heritage(void) {
  sigset_t blocked;
  char cwd[8];
  for (int fd = 4; fd < 64; fd++)
    need(fcntl(fd, F_GETFD) < 0, "an inherited descriptor");
  need(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, SIGUSR2) == 0, "a blocked signal");
  need(signal(SIGUSR1, SIG_DFL) == SIG_DFL, "an ignored signal");
  need(getsid(0) != atoi(getenv("HOST_SESSION")), "the session");
  need(getcwd(cwd, sizeof cwd) != NULL && strcmp(cwd, "/") == 0, "the working directory");
  need(umask(0) == 077, "the umask");
  need(getenv("CRFS_CREDS") == NULL, "a password for one mount");
}

int main(int argc, char **argv) {
  if (getenv("FAKE") != NULL)
    fault_name = getenv("FAKE");
  need(argc == 4 && strcmp(argv[1], "daemon") == 0 && strcmp(argv[2], "--ready-fd") == 0 && strcmp(argv[3], "3") == 0,
       "arguments");
  check_heritage();
  need(!fault("no-start"), "this one never starts");
  prepare();
  bell = mmap(NULL, sizeof *bell, PROT_READ | PROT_WRITE, MAP_SHARED, bell_fd, 0);
  int listener = listen_on_socket();
  need(write(3, "ready\n", 6) == 6, "ready");
  close(3);
  close(2);
  /* until all mounts are gone; a first one has a while to come */
  for (int idle = 0, seen = 0; idle < 60000 && (!seen || mount_count > 0); idle++) {
    struct pollfd wait[MOUNTS + 1] = {{.fd = listener, .events = POLLIN}};
    for (int i = 0; i < mount_count; i++)
      wait[i + 1] = (struct pollfd){.fd = mounts[i].socket, .events = POLLIN};
    poll(wait, (nfds_t)mount_count + 1, 1);
    for (int i = mount_count - 1; i >= 0; i--) {
      serve(&mounts[i]);
      if (wait[i + 1].revents != 0 && !converse(&mounts[i])) {
        close(mounts[i].socket);
        mounts[i] = mounts[--mount_count];
      }
    }
    if (wait[0].revents != 0 && mount_count < MOUNTS) {
      mounts[mount_count++] = (struct mount){.socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
      seen = 1;
    }
    if (mount_count > 0)
      idle = 0;
  }
  return 0;
}
