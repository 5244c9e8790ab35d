/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Published objects that the kernel opens by itself, as it does where a mount has stubs. It takes them as long as they
 * are; all else of ours holds an object's size against the index whenever it opens one. */

#ifndef CRFS_LOWER_PUBLISHED_H
#define CRFS_LOWER_PUBLISHED_H

#include "lower/tree.h"

/* Removes, from the directory OBJECTS, those of the files of TREE that have another size than the file: it is filled
 * anew when it is opened next. Takes a few microseconds for each file of TREE, or a look at the disk. */
void crfs_published_check(int objects, const struct crfs_tree *tree);

#endif
