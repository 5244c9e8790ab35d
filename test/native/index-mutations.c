/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Damages an index in hundreds of thousands of ways; whatever still passes the check is read all over. Each lies in
 * memory of exactly its size, so that the sanitizers see any access outside.
 *
 * usage: index-mutations ROUNDS SEED */

#include "native/check.h"
#include "native/sample.h"

#include <dirent.h>
#include <sys/stat.h>

static volatile uint64_t sum; /* so that reading is not optimised away */

static void read_bytes(const char *bytes, uint64_t length) {
  for (uint64_t i = 0; i < length; i++)
    sum += (unsigned char)bytes[i];
}

static void read_inode(const struct crfs_index_view *v, uint32_t number) {
  const struct crfs_inode *i = &v->inodes[number];
  for (uint32_t n = 0; n < i->xattr_count; n++) {
    const struct crfs_xattr *x = &v->xattrs[i->xattr_first + n];
    read_bytes(v->strings + x->name, x->name_length);
    read_bytes(v->strings + x->value, x->value_length);
  }
  switch (i->mode & S_IFMT) {
  case S_IFDIR:
    for (uint32_t n = 0; n < i->count; n++)
      sum += v->dirents[i->first + n].inode;
    break;
  case S_IFLNK:
    read_bytes(v->strings + i->first, i->size);
    break;
  case S_IFREG:
    for (uint64_t n = 0, at = 0; n < i->count; n++) {
      const struct crfs_chunk *c = &v->chunks[i->first + n];
      CHECK(c->file_offset == at && c->size <= i->size - at);
      at += c->size;
      if (c->digest != 0)
        read_bytes((const char *)v->digests[c->digest - 1], 32);
    }
  }
}

static void read_all(const struct crfs_index_view *v) {
  for (uint64_t i = 0; i < v->header->inodes.count; i++)
    read_inode(v, (uint32_t)i);
  for (uint64_t i = 0; i < v->header->dirents.count; i++) {
    const struct crfs_dirent *d = &v->dirents[i];
    const struct crfs_dirent *found = crfs_index_find(v, v->strings + d->path, d->path_length);
    sum += found == NULL ? 0 : found->inode;
    sum += v->inodes[d->inode].mode;
    read_bytes(v->strings + d->path + d->path_length - d->name_length, d->name_length);
  }
  for (size_t i = 1; i < sample_count; i++)
    sum += crfs_index_find(v, sample_files[i].path, strlen(sample_files[i].path)) != NULL;
  sum += crfs_index_find(v, "no/such/path", 12) != NULL;
}

/* A number that is likely to break something. */
static uint64_t nasty(unsigned long long *random) {
  static const uint64_t numbers[] = {0, 1, 2, 255, 256, 4095, 4096, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
  uint64_t pick = next_random(random);
  uint64_t number = numbers[pick % (sizeof numbers / sizeof numbers[0])];
  switch (pick >> 32 & 3) {
  case 0:
    return number - 1;
  case 1:
    return pick >> 40;
  default:
    return number;
  }
}

static void mutate(char *bytes, size_t size, unsigned long long *random) {
  static const size_t widths[] = {1, 2, 4, 8};
  size_t width = widths[next_random(random) % 4];
  /* as often in the header as in the tables */
  size_t area = next_random(random) % 4 == 0 ? sizeof(struct crfs_index) : size;
  size_t at = next_random(random) % (area / width) * width;
  uint64_t value = 0;
  memcpy(&value, bytes + at, width);
  switch (next_random(random) % 3) {
  case 0:
    value ^= 1ull << next_random(random) % (width * 8);
    break;
  case 1:
    value += next_random(random) % 17 - 8;
    break;
  default:
    value = nasty(random);
  }
  memcpy(bytes + at, &value, width);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  unsigned long rounds = strtoul(argv[1], NULL, 10), passed = 0;
  unsigned long long random = strtoull(argv[2], NULL, 10);
  char *whole = malloc(SAMPLE_SIZE);
  size_t size = sample_index(whole);
  struct crfs_index_view view;
  CHECK(crfs_index_open(&view, whole, size) == NULL);
  read_all(&view);
  for (unsigned long round = 0; round < rounds; round++) {
    size_t length = next_random(&random) % 64 == 0 ? next_random(&random) % size : size;
    char *damaged = malloc(length);
    memcpy(damaged, whole, length);
    if (length >= sizeof(struct crfs_index)) {
      if (length < size)
        ((struct crfs_index *)damaged)->file_size = length;
      for (unsigned long long n = next_random(&random) % 3 + 1; n > 0; n--)
        mutate(damaged, length, &random);
    }
    if (crfs_index_open(&view, damaged, length) == NULL) {
      passed++;
      read_all(&view);
    }
    free(damaged);
  }
  free(whole);
  printf("mutated %lu passed %lu\n", rounds, passed);
  return 0;
}
