/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/timeout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "CRFS_TIMEOUT"
#define LONGEST 86400u /* seconds */

static uint64_t timeout_ns = 60 * 1000000000ull;

int crfs_timeout_read(struct crfs_failure *failure) {
  const char *setting = getenv(VARIABLE);
  if (setting == NULL)
    return 0;
  size_t length = strspn(setting, "0123456789");
  unsigned long seconds = strtoul(setting, NULL, 10);
  if (setting[length] != '\0' || seconds == 0 || seconds > LONGEST)
    return crfs_fail(failure, EINVAL, VARIABLE " is \"%.100s\"; it must be a whole number of seconds from 1 to %u",
                     setting, LONGEST);
  __atomic_store_n(&timeout_ns, seconds * 1000000000ull, __ATOMIC_RELAXED);
  return 0;
}

uint64_t crfs_timeout(void) {
  return __atomic_load_n(&timeout_ns, __ATOMIC_RELAXED);
}
