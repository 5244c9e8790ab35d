/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/fake-kernel.h"
#include "native/check.h"

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include <limits.h>
#include <pthread.h>
#include <sys/socket.h>

struct crfs_lower lower;
uint32_t reader;
static int kernel; /* our end of the pair */
static pthread_t server;

static void *serve(void *unused) {
  struct fuse_loop_config config = {.max_idle_threads = 8};
  (void)unused;
  fuse_session_loop_mt(lower.fuse, &config);
  return NULL;
}

/* Says nothing of a device that ends, which no kernel's does in this way. */
static void be_quiet(enum fuse_log_level level, const char *format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
}

void send_question(struct question *question, size_t body) {
  question->header.len = (uint32_t)(sizeof question->header + body);
  CHECK(send(kernel, question, question->header.len, 0) == (ssize_t)question->header.len);
}

void receive(void) {
  ssize_t got = recv(kernel, last(), sizeof *last(), 0);
  CHECK(got >= (ssize_t)sizeof last()->header && got == (ssize_t)last()->header.len);
}

int ask(uint32_t opcode, uint64_t node, const void *body, size_t size) {
  static uint64_t unique;
  struct question question = {.header = {.opcode = opcode, .unique = ++unique, .nodeid = node, .pid = reader}};
  memcpy(question.body, body, size);
  send_question(&question, size);
  receive();
  CHECK(last()->header.unique == unique);
  return -last()->header.error;
}

struct answer *last(void) {
  static struct answer answer;
  return &answer;
}

uint32_t length(void) {
  return last()->header.len - (uint32_t)sizeof last()->header;
}

int lookup(uint64_t parent, const char *name) {
  return ask(FUSE_LOOKUP, parent, name, strlen(name) + 1);
}

/* The node of NAME in PARENT. */
static uint64_t node_of(uint64_t parent, const char *name) {
  struct fuse_entry_out entry;
  CHECK(lookup(parent, name) == 0 && length() == sizeof entry);
  memcpy(&entry, last()->body, sizeof entry);
  return entry.nodeid;
}

uint64_t walk(const char *const *names) {
  uint64_t node = FUSE_ROOT_ID;
  for (; *names != NULL; names++)
    node = node_of(node, *names);
  return node;
}

int read_at(uint32_t opcode, uint64_t node, uint64_t offset, uint32_t size) {
  const struct fuse_read_in in = {.offset = offset, .size = size};
  return ask(opcode, node, &in, sizeof in);
}

int get_attribute(uint64_t node, const char *name, uint32_t size) {
  char body[2048] = {0};
  const struct fuse_getxattr_in in = {.size = size};
  memcpy(body, &in, sizeof in);
  memcpy(body + sizeof in, name, strlen(name) + 1);
  return ask(FUSE_GETXATTR, node, body, sizeof in + strlen(name) + 1);
}

int list_attributes(uint64_t node, uint32_t size) {
  const struct fuse_getxattr_in in = {.size = size};
  return ask(FUSE_LISTXATTR, node, &in, sizeof in);
}

int say_hello(void) {
  const struct fuse_init_in in = {.major = 7, .minor = 36, .max_readahead = 1 << 17, .flags = UINT32_MAX};
  return ask(FUSE_INIT, 0, &in, sizeof in);
}

void load(void) {
  static const char *const below[] = {NULL};
  struct crfs_failure failure;
  char blob[PATH_MAX], session[16];
  int pair[2], size = 1 << 19;
  snprintf(session, sizeof session, "%d", (int)getsid(0));
  setenv("HOST_SESSION", session, 1); /* the fake daemon holds its own against it */
  snprintf(blob, sizeof blob, "%s/blob", getenv("FAKE_ROOT"));
  CHECK(crfs_tree_load(&lower.tree, blob, "/merged", below, &failure) == 0 && lower.tree.count == 2);
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  for (int n = 0; n < 2; n++)
    CHECK(setsockopt(pair[n], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
  kernel = pair[1];
  fuse_set_log_func(be_quiet);
  CHECK((lower.fuse = crfs_lower_begin(&lower, pair[0])) != NULL);
  CHECK(pthread_create(&server, NULL, serve, NULL) == 0);
}

void unload(void) {
  close(kernel);
  CHECK(pthread_join(server, NULL) == 0);
  fuse_session_destroy(lower.fuse);
}
