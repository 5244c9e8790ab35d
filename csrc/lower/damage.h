/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Files of the cache that are cut short while they are mapped, which nothing of ours does. */

#ifndef CRFS_LOWER_DAMAGE_H
#define CRFS_LOWER_DAMAGE_H

/* From now on, whoever reads what an index no longer has ends this process, with a line about ASKED, which must last:
 * what would be read in its place is wrong. */
void crfs_damage_watch(const char *asked);

#endif
