/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The rules that the records of an index obey. Any part of a table can be checked by itself, so that several threads
 * can check one. */

#ifndef CRFS_INDEX_TABLES_H
#define CRFS_INDEX_TABLES_H

#include "shared/index.h"

/* Sums over records checked. */
struct crfs_sums {
  uint64_t named;  /* entries that their inodes name as theirs: no inode has two */
  uint64_t listed; /* entries of directories */
  uint64_t filled; /* chunks of files: none is of two files */
};

/* Checks the records [FIRST, END) of a table, adding to SUMS. Returns NULL, or what is wrong with the first that is: a
 * constant string. Looks at no more entries than there are, however many directories claim the same ones. */
typedef const char *crfs_check_table(const struct crfs_index_view *v, uint64_t first, uint64_t end,
                                     struct crfs_sums *sums);

crfs_check_table crfs_check_dirents, crfs_check_xattrs, crfs_check_slots, crfs_check_points;

/* Expects that the entries and the points are right, and that each inode has the one that it names. Checks the chunks
 * as well. */
crfs_check_table crfs_check_inodes;

/* Whether directories list more entries than there are: NULL, or what is wrong. */
const char *crfs_check_listed(const struct crfs_index_view *v, const struct crfs_sums *sums);

#endif
