/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: whatever /dev/fuse says, crfs-lower gives each request one answer, which tells no more than was asked for,
 * and no byte that is not the file's. An input is requests as a kernel writes them, one behind the other, of a mount of
 * the sample by two layers. The server lives through all of them: what it kept of each would be seen at last. */

#include "lower/operations.h"
#include "native/sample.h"
#include "shared/draft.h"

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAYERS 2
#define SPACE 256        /* of zeros behind a request: libfuse takes the arguments of those that are cut from there */
#define ERRNO_LIMIT 512  /* to the kernel, what is not below is no errno */
#define OF_INTERRUPT 1ul /* in the number of a request that interrupts another: those of others are even */

static struct crfs_lower lower;
static struct crfs_source source = {.session = &lower.tree.session, .blob = -1, .layers = LAYERS};
static struct crfs_layer layers[LAYERS];
static struct crfs_connection connection = {.users = 1};
static char place[] = "/tmp/crfs-fuzz-lower-XXXXXX";
static int kernel; /* the other end of what the server has for /dev/fuse */

static struct {
  struct fuse_out_header header;
  uint8_t body[1 << 18];
} answer;

static void need(int condition) {
  if (!condition)
    abort();
}

/* A connection whose daemon has gone, for good. */
static struct crfs_connection *acquire(void *self, const struct crfs_layer *layer, uint32_t *number) {
  (void)self;
  *number = layer->number;
  crfs_connection_hold(&connection);
  return &connection;
}

static int make_file(int directory, const struct crfs_inode *i) {
  char name[68];
  sample_object_name(name, i->u.key);
  name[2] = '\0';
  mkdirat(directory, name, 0700);
  name[2] = '/';
  return openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

/* Of the files, those of two to four chunks are published, of longer ones there is every second chunk, of others
 * nothing. */
static void fill_cache(const struct crfs_index_view *index) {
  static const uint8_t there = CRFS_CHUNK_THERE;
  for (uint32_t inode = 0; inode < index->header->inodes.count; inode++) {
    const struct crfs_inode *i = &index->inodes[inode];
    const int whole = i->count <= 4;
    if (!S_ISREG(i->mode) || i->count < 2)
      continue;
    int fd = make_file(whole ? connection.objects : connection.drafts, i);
    for (uint64_t at = 0; at < i->size; at++)
      need(pwrite(fd, &(unsigned char){sample_byte(inode, at)}, 1, (off_t)at) == 1);
    for (uint32_t chunk = 0; !whole && chunk < i->count; chunk += 2)
      need(pwrite(fd, &there, 1, (off_t)(crfs_draft_map(i->size) + chunk)) == 1);
    need(whole || ftruncate(fd, (off_t)(crfs_draft_map(i->size) + i->count)) == 0);
    close(fd);
  }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
  (void)st, (void)type, (void)where;
  return remove(path);
}

static void remove_cache(void) {
  nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int make_directory(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s", place, name);
  need(mkdir(path, 0700) == 0);
  return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void make_cache(const struct crfs_index_view *index) {
  need(mkdtemp(place) != NULL && atexit(remove_cache) == 0);
  connection.objects = make_directory("objects");
  connection.drafts = make_directory("drafts");
  connection.control.socket = INT_MAX; /* which is not open: as if the daemon had hung up */
  connection.ring = calloc(1, sizeof *connection.ring);
  connection.doorbell = calloc(1, sizeof *connection.doorbell);
  fill_cache(index);
}

static void be_quiet(enum fuse_log_level level, const char *format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
}

/* Hands over a request, of SIZE bytes. */
static void hand_over(const void *request, size_t size) {
  struct fuse_buf buffer = {.mem = calloc(1, size + SPACE), .size = size};
  memcpy(buffer.mem, request, size);
  fuse_session_process_buf(lower.fuse, &buffer);
  free(buffer.mem);
}

/* Receives one answer. Returns whether there is any. */
static int receive(void) {
  ssize_t got = recv(kernel, &answer, sizeof answer, MSG_DONTWAIT);
  need(got < 0 || (got >= (ssize_t)sizeof answer.header && got == (ssize_t)answer.header.len));
  return got >= 0;
}

static void begin(void) {
  static _Alignas(8) char sample[SAMPLE_SIZE];
  static struct crfs_layer *all[LAYERS];
  static const char *const below[] = {"/", NULL};
  const struct {
    struct fuse_in_header header;
    struct fuse_init_in in;
  } hello = {.header = {.len = sizeof hello, .opcode = FUSE_INIT, .unique = 2},
             .in = {.major = 7, .minor = 36, .max_readahead = 1 << 17, .flags = UINT32_MAX}};
  size_t size = sample_index(sample);
  int pair[2], room = 1 << 19;
  for (uint32_t n = 0; n < LAYERS; n++) {
    void *map = malloc(size); /* of exactly its size, so that the sanitizer sees any access outside */
    memcpy(map, sample, size);
    need(crfs_index_open(&layers[n].index, map, size) == NULL);
    layers[n].source = &source;
    layers[n].place = n;
    all[n] = &layers[n];
  }
  make_cache(&layers[0].index);
  need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  need(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
  kernel = pair[1];
  fuse_set_log_func(be_quiet);
  lower.tree = (struct crfs_tree){.layers = all, .count = LAYERS, .below = below};
  need((lower.fuse = crfs_lower_begin(&lower, pair[0])) != NULL);
  lower.recent.channel.acquire = lower.recent.channel.hold = acquire;
  hand_over(&hello, sizeof hello);
  need(receive() && answer.header.error == 0);
}

/* Whether what was read of NODE is what stands there. */
static void check_read(uint64_t node, const struct fuse_read_in *in, size_t length) {
  need(length <= in->size);
  for (size_t n = 0; n < length; n++)
    need(answer.body[n] == sample_byte((uint32_t)node, in->offset + n));
}

/* Holds the answer against the request, which has space behind it. */
static void check_answer(const struct fuse_in_header *request) {
  const void *arguments = request + 1;
  const size_t length = answer.header.len - sizeof answer.header;
  const uint32_t asked = ((const struct fuse_getxattr_in *)arguments)->size;
  need(answer.header.error <= 0 && answer.header.error > -ERRNO_LIMIT);
  need(answer.header.error == 0 || length == 0);
  if (request->opcode == FUSE_READ)
    check_read(request->nodeid, arguments, length);
  if (request->opcode == FUSE_READDIRPLUS)
    need(length <= ((const struct fuse_read_in *)arguments)->size);
  if (request->opcode == FUSE_GETXATTR || request->opcode == FUSE_LISTXATTR)
    need(length <= (asked == 0 ? sizeof(struct fuse_getxattr_out) : asked));
}

/* Receives what is answered to REQUEST, or NULL. Returns whether one that interrupts others was, too: libfuse has it
 * wait for what it interrupts, and gives it up at the next request. */
static int check_answers(const struct fuse_in_header *request) {
  int due = request != NULL && request->opcode != FUSE_FORGET && request->opcode != FUSE_BATCH_FORGET &&
            request->opcode != FUSE_INTERRUPT;
  int interrupts = 0;
  while (receive())
    if ((answer.header.unique & OF_INTERRUPT) != 0) {
      need(answer.header.error == -EAGAIN);
      interrupts = 1;
    } else {
      need(due-- == 1 && answer.header.unique == request->unique);
      check_answer(request);
    }
  need(due <= 0);
  return interrupts;
}

static int ask(const uint8_t *bytes, size_t size) {
  static uint64_t unique = 2;
  struct fuse_in_header *request = calloc(1, size + SPACE);
  memcpy(request, bytes, size);
  request->len = (uint32_t)size;
  request->unique = unique += 2;
  if (request->opcode == FUSE_INTERRUPT)
    request->unique |= OF_INTERRUPT;
  /* with these a kernel answers what it was told, and takes leave: the first libfuse keeps, the second ends all */
  if (request->opcode == FUSE_NOTIFY_REPLY || request->opcode == FUSE_DESTROY)
    request->opcode = FUSE_STATFS;
  hand_over(request, size);
  int interrupts = check_answers(request);
  free(request);
  return interrupts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct fuse_in_header last = {.opcode = FUSE_STATFS, .nodeid = FUSE_ROOT_ID};
  if (lower.fuse == NULL)
    begin();
  while (size >= sizeof last) {
    uint32_t length;
    memcpy(&length, data, sizeof length);
    length = length < sizeof last ? sizeof last : length < size ? length : (uint32_t)size;
    ask(data, length);
    data += length;
    size -= length;
  }
  while (ask((const uint8_t *)&last, sizeof last))
    ;
  return 0;
}
