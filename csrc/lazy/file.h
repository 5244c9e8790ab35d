/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Files that are read before all of them is there. Any thread. */

#ifndef CRFS_LAZY_FILE_H
#define CRFS_LAZY_FILE_H

#include "client/ask.h"
#include "client/channel.h"
#include "lazy/buffers.h"
#include "lazy/content.h"

/* One that is open. Those that use it hold it. */
struct crfs_file;

/* All that are open, by their handles. */
struct crfs_files {
  struct crfs_channel channel; /* that chunks are asked for by */
  struct crfs_buffers buffers; /* that their bytes pass through */
  pthread_mutex_t lock;        /* around what follows */
  struct crfs_file **slots;
  size_t count; /* of slots; a free one is NULL */
};

void crfs_files_begin(struct crfs_files *files, struct crfs_channel channel);
void crfs_files_end(struct crfs_files *files); /* closes what is left; nothing is held any more */

/* One of INODE, a regular file that is not empty, held once, that asks by CHANNEL. Its first read is counted as its
 * opening, as nobody opens it. Returns NULL without memory. */
struct crfs_file *crfs_file_make(const struct crfs_channel *channel, const struct crfs_layer *layer, uint32_t inode);

/* Opens INODE, a regular file that is not empty. Returns 0 with *HANDLE, or -1 without memory. */
int crfs_file_open(struct crfs_files *files, const struct crfs_layer *layer, uint32_t inode, uint64_t *handle);
void crfs_file_close(struct crfs_files *files, uint64_t handle);

/* The open file of HANDLE, held until it is released. */
struct crfs_file *crfs_file_hold(struct crfs_files *files, uint64_t handle);
void crfs_file_keep(struct crfs_file *file); /* holds it once more */
void crfs_file_release(struct crfs_file *file);

/* Lets go of content that was removed from the cache, which takes its room until then, but for reads under way. */
void crfs_file_let_go(struct crfs_file *file);

/* The size of the file, in bytes. */
uint64_t crfs_file_size(const struct crfs_file *file);

/* Waits until all chunks of the bytes [OFFSET, OFFSET + SIZE), which lie in the file, are there. Returns 0 with
 * CONTENT, in which they are from then on, for crfs_content_release; or an errno: ETIMEDOUT (nothing arrived for the
 * session's timeout), EINTR (the asker has gone), EIO, or what the worker met with. */
int crfs_file_take(struct crfs_file *file, uint64_t offset, uint64_t size, const struct crfs_asker *asker,
                   struct crfs_content **content);

#endif
