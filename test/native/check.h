/* SPDX-License-Identifier: GPL-3.0-or-later */

/* For test programs: a check that fails ends the program, and says where and what. */

#ifndef CRFS_TEST_CHECK_H
#define CRFS_TEST_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many have held, in all files of a program. */
__attribute__((weak)) unsigned long checks;

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);                                                                  \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #condition, strerror(errno));                     \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

/* The call fails with the errno. */
#define CHECK_ERRNO(call, expected)                                                                                    \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    CHECK((long)(call) == -1 && errno == (expected));                                                                  \
  } while (0)

/* A deterministic stream of numbers (xorshift64*, Vigna 2016). */
static inline unsigned long long next_random(unsigned long long *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 2685821657736338717ull;
}

#endif
