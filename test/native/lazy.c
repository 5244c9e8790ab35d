/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A host that opens files whose content is not there yet, and reads from them while the daemon holds chunks back.
 *
 * usage: lazy SCENARIO BLOB-IN-BASE64 */

#include "native/lazy-reads.h"
#include "plugin/session.h"
#include "shared/draft.h"

#include <pthread.h>
#include <sys/mman.h>

#define CROWD 100 /* readers that wait at a time */

static void *read_third(void *fd) {
  check_chunk(*(int *)fd, THIRD);
  return NULL;
}

static void *read_all_but_the_third(void *unused) {
  int fd = open_lazily(BIG);
  (void)unused;
  for (off_t at = 0; at < BIG_SIZE; at += SAMPLE_CHUNK)
    if (at != THIRD)
      check_chunk(fd, at);
  close(fd);
  read_file("bin/su");
  read_file("etc/passwd");
  return NULL;
}

static void an_open_does_not_wait_and_a_read_waits_for_its_chunk(void) {
  pthread_t waits, threads[16];
  int before = descriptors();
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  CHECK(pthread_create(&waits, NULL, read_third, &fd) == 0);
  wait_until_held(1);
  for (int i = 0; i < 16; i++)
    CHECK(pthread_create(&threads[i], NULL, read_all_but_the_third, NULL) == 0);
  for (int i = 0; i < 16; i++)
    CHECK(pthread_join(threads[i], NULL) == 0);
  open_gate();
  CHECK(pthread_join(waits, NULL) == 0);
  check_content(fd, BIG);
  close(fd);
  fd = open_to_read(BIG); /* published by now */
  CHECK(!is_lazy(fd));
  check_content(fd, BIG);
  close(fd);
  host_unload();
  CHECK(descriptors() == before);
}

static void *open_and_read_third(void *unused) {
  int fd = open_lazily(BIG);
  (void)unused;
  check_chunk(fd, THIRD);
  close(fd);
  return NULL;
}

static void check_first_byte(int fd, const char *path) {
  unsigned char byte;
  CHECK(pread(fd, &byte, 1, 0) == 1 && byte == sample_byte(inode_of(path), 0));
}

static void many_wait_and_others_read(void) {
  pthread_t crowd[CROWD];
  alarm(240); /* rather than wait for ever */
  CHECK(host_load() == 0);
  int there = open_lazily("bin/sh");
  check_first_byte(there, "bin/sh");
  for (int i = 0; i < CROWD; i++)
    CHECK(pthread_create(&crowd[i], NULL, open_and_read_third, NULL) == 0);
  wait_until_held(CROWD);
  check_first_byte(there, "bin/sh");
  read_file("etc/passwd"); /* its chunks are asked for */
  open_gate();
  for (int i = 0; i < CROWD; i++)
    CHECK(pthread_join(crowd[i], NULL) == 0);
  close(there);
  read_all_files();
  host_unload();
}

static void the_name_of(char name[80], const char *directory, const char *path) {
  uint8_t key[32];
  char object[68];
  memset(key, (int)(inode_of(path) * 13 + 1), sizeof key);
  sample_object_name(object, key);
  snprintf(name, 80, "%s/%s", directory, object);
}

static void a_read_touches_no_further_chunk(void) {
  char name[80];
  uint8_t map[BIG_SIZE / SAMPLE_CHUNK + 1];
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  check_chunk(fd, 0);
  check_chunk(fd, 5 * SAMPLE_CHUNK);
  the_name_of(name, "drafts", BIG);
  int draft = open(in_root(name), O_RDONLY);
  CHECK(pread(draft, map, sizeof map, (off_t)crfs_draft_map(BIG_SIZE)) == (ssize_t)sizeof map);
  for (size_t i = 0; i < sizeof map; i++)
    CHECK(map[i] == (i == 0 || i == 5));
  close(draft);
  close(fd);
  host_unload();
}

static void a_draft_that_loses_its_name_is_replaced(void) {
  char name[80];
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  the_name_of(name, "drafts", BIG);
  for (off_t at = 0; at < BIG_SIZE; at += SAMPLE_CHUNK) {
    check_chunk(fd, at);
    unlink(in_root(name));
  }
  check_content(fd, BIG);
  close(fd);
  host_unload();
}

static void a_file_is_published_while_it_is_read(void) {
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  check_chunk(fd, THIRD);
  int copy = ds->openat(&l[0], BIG, COPY_UP, 0);
  CHECK(copy >= 0 && !is_lazy(copy));
  check_content(copy, BIG);
  check_content(fd, BIG);
  close(copy);
  close(fd);
  host_unload();
}

static void a_lazy_file_can_be_mapped(void) {
  CHECK(host_load() == 0);
  int fd = open_lazily(BIG);
  const unsigned char *map = mmap(NULL, BIG_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(map != MAP_FAILED);
  close(fd);
  for (off_t at = BIG_SIZE; at-- > 0;)
    CHECK(map[at] == sample_byte(inode_of(BIG), (uint64_t)at));
  munmap((void *)(uintptr_t)map, BIG_SIZE);
  host_unload();
}

static void one_remote_chunk_is_read_lazily(void) {
  CHECK(host_load() == 0);
  int fd = open_lazily("bin/su");
  check_content(fd, "bin/su");
  close(fd);
  fd = open_to_read("bin/su");
  CHECK(!is_lazy(fd));
  close(fd);
  host_unload();
}

static void reads_all(void) {
  struct crfs_failure failure;
  CHECK(host_load() == 0);
  read_all_files();
  const struct crfs_ring *ring = crfs_plugin_session(&failure)->current->ring;
  CHECK(ring->lazy == CRFS_LAZY_WORKS && ring->lazy_error == 0 && ring->lazy_opens == 3);
  read_all_files();
  CHECK(ring->lazy_opens == 3);
  host_unload();
}

static void what_was_waited_for_is_told_also_if_others_brought_it(void) {
  struct crfs_failure failure;
  struct crfs_opening told;
  uint32_t position = 0, missed = 0;
  CHECK(host_load() == 0);
  struct crfs_ring *ring = crfs_plugin_session(&failure)->current->ring;
  crfs_trace_switch(&ring->trace, 1);
  int fd = open_lazily(BIG);
  check_chunk(fd, 0);
  CHECK(crfs_trace_read(&ring->trace, &position, &told, &missed) == 1);
  CHECK(told.inode == inode_of(BIG) && told.error == 0 && told.waited_ns > 0 && ring->waited_ns == told.waited_ns);
  CHECK(crfs_trace_read(&ring->trace, &position, &told, &missed) == 0);
  close(fd);
  host_unload();
}

static const struct scenario scenarios[] = {
    {"all", reads_all},
    {"chunk", an_open_does_not_wait_and_a_read_waits_for_its_chunk},
    {"crowd", many_wait_and_others_read},
    {"no-further", a_read_touches_no_further_chunk},
    {"unlinked", a_draft_that_loses_its_name_is_replaced},
    {"published", a_file_is_published_while_it_is_read},
    {"mapped", a_lazy_file_can_be_mapped},
    {"told", what_was_waited_for_is_told_also_if_others_brought_it},
    {"remote", one_remote_chunk_is_read_lazily},
};

int main(int argc, char **argv) {
  return host_run(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
