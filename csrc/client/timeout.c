/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/timeout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "CRFS_TIMEOUT"
#define STANDARD 60u /* seconds */
#define LONGEST 86400u

int crfs_timeout_read(uint64_t *timeout_ns, struct crfs_failure *failure) {
  const char *setting = getenv(VARIABLE);
  unsigned long seconds = STANDARD;
  if (setting != NULL) {
    size_t length = strspn(setting, "0123456789");
    seconds = strtoul(setting, NULL, 10);
    if (setting[length] != '\0' || seconds == 0 || seconds > LONGEST)
      return crfs_fail(failure, EINVAL, VARIABLE " is \"%.100s\"; it must be a whole number of seconds from 1 to %u",
                       setting, LONGEST);
  }
  *timeout_ns = seconds * 1000000000ull;
  return 0;
}
