/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Damages an index in hundreds of thousands of ways; whatever still passes the check is read all over. Each lies in
 * memory of exactly its size, so that the sanitizers see any access outside.
 *
 * usage: index-mutations ROUNDS SEED */

#include "native/check.h"
#include "native/read-index.h"
#include "native/sample.h"

static void read_all(const struct crfs_index_view *v) {
  read_index(v);
  for (size_t i = 1; i < sample_count; i++)
    sum += crfs_index_find(v, sample_files[i].path, strlen(sample_files[i].path)) != NULL;
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
