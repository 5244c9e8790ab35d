/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The server for the kernel's overlay, asked what no kernel would ask, too.
 *
 * usage: lower SCENARIO ANYTHING */

#include "native/check.h"
#include "native/fake-kernel.h"
#include "native/sample.h"

#define ROUNDS 20000
#define BODY 512 /* bytes behind the header of what is asked at random */

static unsigned long long state = 0x5eed;

/* What an honest kernel gets. */
static void check_layers(void) {
  const uint64_t file = WALK("1", "bin", "sh");
  CHECK(lookup(FUSE_ROOT_ID, "2") == 0 && ((struct fuse_entry_out *)last()->body)->nodeid == 0);
  CHECK(read_at(FUSE_READ, file, 4096, 5000) == 0 && length() == 5000);
  for (uint32_t n = 0; n < 5000; n++)
    CHECK((unsigned char)last()->body[n] == sample_byte((uint32_t)file, 4096 + n));
  CHECK(read_at(FUSE_READ, file, 9999, 4096) == 0 && length() == 1);
  CHECK(ask(FUSE_READLINK, WALK("0", "bin", "link"), "", 0) == 0 && length() == 13);
  CHECK(memcmp(last()->body, "../etc/passwd", 13) == 0);
  CHECK(read_at(FUSE_READDIRPLUS, WALK("0", "bin"), 0, 4096) == 0 && length() > 0);
  CHECK(get_attribute(WALK("0", "etc"), "user.colour", 64) == 0 && memcmp(last()->body, "darkblue", 8) == 0);
  CHECK(get_attribute(WALK("0", "etc"), "user.colour", 7) == ERANGE);
  CHECK(list_attributes(WALK("0", "etc"), 64) == 0 && length() == 23);
}

static void layers_are_shown(void) {
  load();
  CHECK(lookup(FUSE_ROOT_ID, "0") == EIO); /* nobody has said hello */
  CHECK(say_hello() == 0);
  CHECK(say_hello() == EIO);
  check_layers();
  unload();
}

/* Of all that can be asked of a node, what is asked of one that is not there has one answer. */
static void check_absent(uint64_t node) {
  CHECK(lookup(node, "bin") == ESTALE);
  CHECK(ask(FUSE_GETATTR, node, "", 0) == ESTALE);
  CHECK(ask(FUSE_READLINK, node, "", 0) == ESTALE);
  CHECK(read_at(FUSE_READ, node, 0, 4096) == ESTALE);
  CHECK(read_at(FUSE_READDIRPLUS, node, 0, 4096) == ESTALE);
  CHECK(get_attribute(node, "user.colour", 0) == ESTALE);
  CHECK(list_attributes(node, 0) == ESTALE);
}

static void nodes_that_are_not_there_have_one_answer(void) {
  const uint64_t inodes = 1ull << 32, whiteout = 1u << 31;
  load();
  CHECK(say_hello() == 0);
  const uint64_t count = lower.tree.layers[0]->index.header->inodes.count;
  const uint64_t absent[] = {0,
                             4,
                             0xff,
                             0x200,
                             UINT32_MAX,
                             whiteout,
                             whiteout | FUSE_ROOT_ID,
                             inodes + count,
                             inodes + UINT32_MAX,
                             (inodes | whiteout) + count,
                             inodes * 3,
                             inodes * 3 + 1,
                             UINT64_MAX,
                             INT64_MAX};
  for (size_t n = 0; n < sizeof absent / sizeof absent[0]; n++)
    check_absent(absent[n]);
  check_layers();
  unload();
}

static void nodes_are_taken_for_what_they_are(void) {
  load();
  CHECK(say_hello() == 0);
  const uint64_t file = WALK("1", "bin", "sh"), link = WALK("1", "bin", "link"), device = WALK("1", "dev", "null"),
                 directory = WALK("1", "bin"), shard = WALK("objects", "0e");
  const uint64_t no_directories[] = {file, link, device};
  for (size_t n = 0; n < sizeof no_directories / sizeof no_directories[0]; n++) {
    CHECK(lookup(no_directories[n], "sh") == ESTALE);
    CHECK(read_at(FUSE_READDIRPLUS, no_directories[n], 2, 4096) == ESTALE);
  }
  const uint64_t no_files[] = {link, device, directory, shard, FUSE_ROOT_ID};
  for (size_t n = 0; n < sizeof no_files / sizeof no_files[0]; n++)
    CHECK(read_at(FUSE_READ, no_files[n], 0, 4096) == ESTALE);
  const uint64_t no_links[] = {file, device, directory, shard, FUSE_ROOT_ID};
  for (size_t n = 0; n < sizeof no_links / sizeof no_links[0]; n++)
    CHECK(ask(FUSE_READLINK, no_links[n], "", 0) == ESTALE);
  check_layers();
  unload();
}

static void numbers_and_names_may_be_wild(void) {
  char name[2048];
  load();
  CHECK(say_hello() == 0);
  const uint64_t directory = WALK("1", "bin"), file = WALK("1", "bin", "sh"), etc = WALK("1", "etc");
  const uint64_t offsets[] = {7, UINT32_MAX, 1ull << 32, (1ull << 32) + 3, INT64_MAX, 1ull << 63, UINT64_MAX};
  for (size_t n = 0; n < sizeof offsets / sizeof offsets[0]; n++) {
    CHECK(read_at(FUSE_READDIRPLUS, directory, offsets[n], UINT32_MAX) == 0 && length() == 0);
    CHECK(n == 0 || (read_at(FUSE_READ, file, offsets[n], UINT32_MAX) == 0 && length() == 0));
  }
  for (uint32_t size = 0; size < 8; size++)
    CHECK(read_at(FUSE_READDIRPLUS, directory, 0, size) == 0 && length() == 0);
  CHECK(read_at(FUSE_READ, file, 0, 0) == 0 && length() == 0);
  CHECK(read_at(FUSE_READ, file, 0, UINT32_MAX) == 0 && length() == 10000);
  memset(name, 'n', sizeof name);
  for (size_t size = 256; size < sizeof name - 16; size += 1024) {
    name[size] = '\0';
    CHECK(lookup(directory, name) == ENAMETOOLONG && lookup(FUSE_ROOT_ID, name) == ENAMETOOLONG);
    CHECK(get_attribute(etc, name, 0) == ERANGE);
    name[size] = 'n';
  }
  const char *const strange[] = {"", ".", "..", "/", "bin/sh", "../../etc", "00", "-1", "4294967296", "0 ", "1x"};
  for (size_t n = 0; n < sizeof strange / sizeof strange[0]; n++)
    for (int at = 0; at < 2; at++)
      CHECK(lookup(at ? directory : FUSE_ROOT_ID, strange[n]) == 0 &&
            ((struct fuse_entry_out *)last()->body)->nodeid == 0);
  CHECK(get_attribute(etc, "user.colour", UINT32_MAX) == 0 && length() == 8);
  CHECK(get_attribute(etc, "user.none", UINT32_MAX) == ENODATA);
  CHECK(list_attributes(etc, UINT32_MAX) == 0 && length() == 23);
  CHECK(list_attributes(etc, 22) == ERANGE);
  check_layers();
  unload();
}

/* The first request of the daemon fails, and no later one does. */
static void repeated_reads_end_as_the_first_did(void) {
  load();
  CHECK(say_hello() == 0);
  const uint64_t file = WALK("1", "bin", "sh");
  lower.repeats.limit_ns = UINT64_MAX;
  reader = 1;
  CHECK(read_at(FUSE_READ, file, 0, 8192) == EIO);
  CHECK(read_at(FUSE_READ, file, 8192, 1808) == 0);
  reader = 2;
  CHECK(read_at(FUSE_READ, file, 0, 4096) == 0);
  reader = 1;
  CHECK(read_at(FUSE_READ, file, 4096, 4096) == EIO);
  CHECK(read_at(FUSE_READ, file, 4096, 4096) == 0);
  check_layers();
  unload();
}

/* Whether no answer is due. */
static int is_silent(uint32_t opcode) {
  return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

static uint32_t below(uint32_t limit) {
  return (uint32_t)(next_random(&state) >> 32) % limit;
}

/* Requests that libfuse answers by itself in other ways: of the first, it keeps what it was asked. */
static int is_left_out(uint32_t opcode) {
  return opcode == FUSE_NOTIFY_REPLY || opcode == FUSE_INTERRUPT || opcode == FUSE_DESTROY;
}

static uint32_t random_opcode(void) {
  static const uint32_t served[] = {FUSE_LOOKUP,    FUSE_GETATTR, FUSE_READLINK,    FUSE_READ,
                                    FUSE_OPEN,      FUSE_OPENDIR, FUSE_READDIRPLUS, FUSE_GETXATTR,
                                    FUSE_LISTXATTR, FUSE_FORGET,  FUSE_BATCH_FORGET};
  if (below(4) > 0)
    return served[below(sizeof served / sizeof served[0])];
  uint32_t opcode = below(8) > 0 ? below(60) : (uint32_t)next_random(&state);
  return is_left_out(opcode) ? FUSE_IOCTL : opcode;
}

static uint64_t random_node(void) {
  switch (below(8)) {
  case 0:
    return next_random(&state);
  case 1:
    return below(0x210);
  default:
    return (uint64_t)below(4) << 32 | below(40) | (below(4) == 0 ? 1u << 31 : 0);
  }
}

/* A body that is cut anywhere, of bytes that are small as often as not. */
static size_t random_body(char *body) {
  size_t size = below(4) == 0 ? below(16) : below(BODY);
  for (size_t n = 0; n < size; n++)
    body[n] = (char)(below(2) == 0 ? 0 : next_random(&state));
  return size;
}

static void *ask_at_random(void *expected) {
  for (int round = 0; round < ROUNDS; round++) {
    struct question question = {
        .header = {.opcode = random_opcode(), .unique = (uint64_t)round + 1, .nodeid = random_node()}};
    *(int *)expected += !is_silent(question.header.opcode);
    send_question(&question, random_body(question.body));
  }
  struct question end = {.header = {.opcode = FUSE_STATFS, .unique = UINT64_MAX, .nodeid = FUSE_ROOT_ID}};
  send_question(&end, 0);
  return NULL;
}

static void all_that_is_asked_at_random_is_answered(void) {
  pthread_t asker;
  int expected = 1, answered = 0, ended = 0;
  load();
  CHECK(say_hello() == 0);
  CHECK(pthread_create(&asker, NULL, ask_at_random, &expected) == 0);
  while (!ended || answered < expected) {
    receive();
    answered++;
    if (last()->header.unique == UINT64_MAX) {
      CHECK(pthread_join(asker, NULL) == 0);
      ended = 1;
    }
  }
  check_layers();
  unload();
}

int main(int argc, char **argv) {
  const struct {
    const char *name;
    void (*run)(void);
  } scenarios[] = {{"shown", layers_are_shown},
                   {"absent", nodes_that_are_not_there_have_one_answer},
                   {"types", nodes_are_taken_for_what_they_are},
                   {"wild", numbers_and_names_may_be_wild},
                   {"repeated", repeated_reads_end_as_the_first_did},
                   {"random", all_that_is_asked_at_random_is_answered}};
  CHECK(argc > 1);
  for (size_t n = 0; n < sizeof scenarios / sizeof scenarios[0]; n++)
    if (strcmp(argv[1], scenarios[n].name) == 0)
      scenarios[n].run();
  printf("checks %lu\n", checks);
  return 0;
}
