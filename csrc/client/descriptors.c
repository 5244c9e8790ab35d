/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/descriptors.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST (1u << 20) /* where there is no limit that tells how many there can be */

void crfs_descriptors_close(unsigned first, unsigned last) {
  struct rlimit files;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, last, 0) == 0)
    return;
#endif
  unsigned limit = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MOST ? (unsigned)files.rlim_cur : MOST;
  for (unsigned fd = first; fd <= last && fd < limit; fd++)
    close((int)fd);
}
