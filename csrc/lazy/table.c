/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/table.h"

#include "client/descriptors.h"

#include <limits.h>
#include <sched.h>
#include <unistd.h>

int crfs_table_part(int keep, int also) {
  const unsigned low = (unsigned)(keep < also ? keep : also), high = (unsigned)(keep < also ? also : keep);
  if (unshare(CLONE_FILES) < 0)
    return -1;
  if (low > STDERR_FILENO + 1)
    crfs_descriptors_close(STDERR_FILENO + 1, low - 1);
  if (high > low + 1)
    crfs_descriptors_close(low + 1, high - 1);
  crfs_descriptors_close(high + 1, UINT_MAX);
  return 0;
}
