/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whoever looks at a store. A program of containers-storage does so when it begins, and asks for layers only when its
 * registry has answered: by then a daemon can be there. Other programs, such as df, start none. */

#ifndef CRFS_STORE_VISITOR_H
#define CRFS_STORE_VISITOR_H

#include <stdint.h>
#include <sys/types.h>

struct crfs_visitors {
  const char *directory; /* of the store */
  uint64_t last_ns;      /* when one of them was last received */
  uint32_t is_receiving; /* 1: a thread is at it */
};

/* Process PID looks at the store. Does not wait; what fails is told to whoever asks for a layer. Any thread. */
void crfs_visitor_came(struct crfs_visitors *visitors, pid_t pid);

#endif
