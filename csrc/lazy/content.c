/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/content.h"

#include "client/object.h"
#include "shared/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static int open_draft(int drafts, const struct crfs_inode *i) {
  char name[CRFS_OBJECT_NAME];
  struct stat st;
  crfs_object_name(name, i);
  int fd = openat(drafts, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
    return fd;
  close(fd);
  return -1;
}

/* The object before the draft, as nothing more is filled into a draft beside an object; and once more after it, as the
 * one becomes the other. */
struct crfs_content *crfs_content_open(const struct crfs_connection *connection, const struct crfs_inode *i) {
  int fd = crfs_object_find(connection->objects, i), whole = 1;
  if (fd < 0 && i->count > 1 && (fd = open_draft(connection->drafts, i)) >= 0)
    whole = 0;
  if (fd < 0)
    fd = crfs_object_find(connection->objects, i);
  struct crfs_content *content = fd < 0 ? NULL : malloc(sizeof *content);
  if (content != NULL)
    *content = (struct crfs_content){.fd = fd, .whole = whole, .users = 1};
  else if (fd >= 0)
    close(fd);
  return content;
}

void crfs_content_hold(struct crfs_content *content) {
  __atomic_fetch_add(&content->users, 1, __ATOMIC_RELAXED);
}

void crfs_content_release(struct crfs_content *content) {
  /* acq_rel: whoever closes it does so after all that the others did with it */
  if (__atomic_sub_fetch(&content->users, 1, __ATOMIC_ACQ_REL) != 0)
    return;
  close(content->fd);
  free(content);
}

/* Whether the map that ended too early was cut off, as all chunks are there. */
static int is_published(struct crfs_content *content, const struct crfs_inode *i) {
  struct stat st;
  if (fstat(content->fd, &st) < 0 || (uint64_t)st.st_size != i->size)
    return 0;
  __atomic_store_n(&content->whole, 1, __ATOMIC_RELAXED);
  return 1;
}

int crfs_content_look(struct crfs_content *content, const struct crfs_inode *i, struct crfs_range *wanted) {
  struct crfs_range absent = {0, 0};
  uint8_t map[4096];
  if (__atomic_load_n(&content->whole, __ATOMIC_RELAXED)) {
    *wanted = absent;
    return 0;
  }
  for (uint32_t at = wanted->first; at < wanted->end;) {
    size_t size = wanted->end - at < sizeof map ? wanted->end - at : sizeof map;
    ssize_t got = pread(content->fd, map, size, (off_t)(crfs_draft_map(i->size) + at));
    if (got < 0)
      return errno;
    if (got == 0 && !is_published(content, i))
      return EIO;
    if (got == 0) {
      absent = (struct crfs_range){0, 0};
      break;
    }
    for (ssize_t n = 0; n < got; n++, at++)
      if (map[n] != CRFS_CHUNK_THERE) {
        absent.first = absent.end == 0 ? at : absent.first;
        absent.end = at + 1;
      }
  }
  *wanted = absent;
  return 0;
}
