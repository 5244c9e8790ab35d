/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/published.h"

#include "client/object.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whoever publishes an object between the look and the removal has published a good one for nothing. */
static void check(int objects, const struct crfs_inode *i) {
  char name[CRFS_OBJECT_NAME];
  struct stat st;
  crfs_object_name(name, i);
  if (fstatat(objects, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size != i->size)
    unlinkat(objects, name, 0);
}

void crfs_published_check(int objects, const struct crfs_tree *tree) {
  for (uint32_t place = 0; place < tree->count; place++) {
    const struct crfs_index_view *index = &tree->layers[place]->index;
    for (uint64_t inode = 0; inode < index->header->inodes.count; inode++)
      if (S_ISREG(index->inodes[inode].mode) && index->inodes[inode].size > 0)
        check(objects, &index->inodes[inode]);
  }
}
