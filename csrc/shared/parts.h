/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Work on a range of numbers, split over threads. */

#ifndef CRFS_PARTS_H
#define CRFS_PARTS_H

#include <stdint.h>

#define CRFS_PARTS_LIMIT 4u /* memory keeps no more processors busy with work that only reads */

/* Works on the numbers [FIRST, END) of the range, its part PART. */
typedef void crfs_part_work(void *context, unsigned part, uint64_t first, uint64_t end);

/* Into how many parts work is worth splitting: 1 .. CRFS_PARTS_LIMIT, of GRAIN units each or more, and no more than
 * there are processors for this process. */
unsigned crfs_parts_of(uint64_t units, uint64_t grain);

/* Calls WORK for PARTS parts that make up [0, COUNT), in this order, each in a thread of its own but one, which the
 * caller works on, as on those that no thread could be had for. All is done and no thread is left on return. */
void crfs_parts_run(unsigned parts, uint64_t count, crfs_part_work *work, void *context);

#endif
