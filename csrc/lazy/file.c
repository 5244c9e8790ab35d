/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lazy/file.h"

#include "client/object.h"
#include "client/session.h"
#include "client/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct crfs_file {
  const struct crfs_channel *channel;
  const struct crfs_layer *layer;
  uint32_t inode;
  uint32_t users;
  uint32_t is_counted;          /* that it was opened: whoever opened it did so, or its first read has */
  pthread_mutex_t lock;         /* held for moments, around `content` */
  struct crfs_content *content; /* what was there last, or NULL */
  uint32_t next;                /* the chunk behind those that were read last */
};

void crfs_files_begin(struct crfs_files *files, struct crfs_channel channel) {
  files->channel = channel;
  files->slots = NULL;
  files->count = 0;
  crfs_buffers_begin(&files->buffers);
  pthread_mutex_init(&files->lock, NULL);
}

void crfs_files_end(struct crfs_files *files) {
  for (size_t handle = 0; handle < files->count; handle++)
    if (files->slots[handle] != NULL)
      crfs_file_release(files->slots[handle]);
  free(files->slots);
  crfs_buffers_end(&files->buffers);
  pthread_mutex_destroy(&files->lock);
}

/* The first slot that is free, or new. Returns its number, or -1 without memory. With `lock` held. */
static ssize_t find_slot(struct crfs_files *files) {
  size_t handle = 0, count = files->count * 2 + 8;
  while (handle < files->count && files->slots[handle] != NULL)
    handle++;
  if (handle < files->count)
    return (ssize_t)handle;
  struct crfs_file **slots = realloc(files->slots, count * sizeof *slots);
  if (slots == NULL)
    return -1;
  memset(slots + files->count, 0, (count - files->count) * sizeof *slots);
  files->slots = slots;
  files->count = count;
  return (ssize_t)handle;
}

struct crfs_file *crfs_file_make(const struct crfs_channel *channel, const struct crfs_layer *layer, uint32_t inode) {
  struct crfs_file *file = malloc(sizeof *file);
  if (file == NULL)
    return NULL;
  *file = (struct crfs_file){.channel = channel, .layer = layer, .inode = inode, .users = 1, .next = UINT32_MAX};
  pthread_mutex_init(&file->lock, NULL);
  return file;
}

int crfs_file_open(struct crfs_files *files, const struct crfs_layer *layer, uint32_t inode, uint64_t *handle) {
  struct crfs_file *file = crfs_file_make(&files->channel, layer, inode);
  if (file == NULL)
    return -1;
  file->is_counted = 1;
  pthread_mutex_lock(&files->lock);
  ssize_t slot = find_slot(files);
  if (slot >= 0)
    files->slots[slot] = file;
  pthread_mutex_unlock(&files->lock);
  if (slot < 0)
    crfs_file_release(file);
  *handle = (uint64_t)slot;
  return slot < 0 ? -1 : 0;
}

void crfs_file_keep(struct crfs_file *file) {
  __atomic_fetch_add(&file->users, 1, __ATOMIC_RELAXED);
}

struct crfs_file *crfs_file_hold(struct crfs_files *files, uint64_t handle) {
  pthread_mutex_lock(&files->lock);
  struct crfs_file *file = files->slots[handle];
  crfs_file_keep(file);
  pthread_mutex_unlock(&files->lock);
  return file;
}

void crfs_file_close(struct crfs_files *files, uint64_t handle) {
  pthread_mutex_lock(&files->lock);
  struct crfs_file *file = files->slots[handle];
  files->slots[handle] = NULL;
  pthread_mutex_unlock(&files->lock);
  crfs_file_release(file);
}

void crfs_file_release(struct crfs_file *file) {
  /* acq_rel: whoever frees it does so after all that the others did with it */
  if (__atomic_sub_fetch(&file->users, 1, __ATOMIC_ACQ_REL) != 0)
    return;
  if (file->content != NULL)
    crfs_content_release(file->content);
  pthread_mutex_destroy(&file->lock);
  free(file);
}

void crfs_file_let_go(struct crfs_file *file) {
  struct crfs_content *removed = NULL;
  struct stat st;
  pthread_mutex_lock(&file->lock);
  if (file->content != NULL && fstat(file->content->fd, &st) == 0 && st.st_nlink == 0) {
    removed = file->content;
    file->content = NULL;
  }
  pthread_mutex_unlock(&file->lock);
  if (removed != NULL)
    crfs_content_release(removed);
}

static const struct crfs_inode *inode_of(const struct crfs_file *file) {
  return &file->layer->index.inodes[file->inode];
}

uint64_t crfs_file_size(const struct crfs_file *file) {
  return inode_of(file)->size;
}

/* The chunk that byte AT is in. */
static uint32_t chunk_of(const struct crfs_file *file, uint64_t at) {
  const struct crfs_chunk *chunks = &file->layer->index.chunks[inode_of(file)->first];
  uint32_t low = 0, high = inode_of(file)->count;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (chunks[middle].file_offset <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* Holds the content of now against WANTED, which becomes what is absent. Returns it, held, if nothing is; else NULL,
 * with *ERROR: 0, or ENOENT (there is none), or that of looking. */
static struct crfs_content *find(struct crfs_file *file, struct crfs_range *wanted, int *error) {
  pthread_mutex_lock(&file->lock);
  struct crfs_content *content = file->content;
  if (content != NULL)
    crfs_content_hold(content);
  pthread_mutex_unlock(&file->lock);
  *error = content == NULL ? ENOENT : crfs_content_look(content, inode_of(file), wanted);
  if (*error == 0 && wanted->first == wanted->end)
    return content;
  if (content != NULL)
    crfs_content_release(content);
  return NULL;
}

/* Has the file go on with what has its name now. Where nothing has, it stays with what it had: that gets no more
 * chunks, but keeps those that it got. Returns 0, or an errno. */
static int reopen(struct crfs_file *file, const struct crfs_connection *connection) {
  struct crfs_content *fresh = crfs_content_open(connection, inode_of(file));
  if (fresh == NULL)
    return errno == ENOENT ? 0 : errno;
  pthread_mutex_lock(&file->lock);
  struct crfs_content *old = file->content;
  file->content = fresh;
  pthread_mutex_unlock(&file->lock);
  if (old != NULL)
    crfs_content_release(old);
  return 0;
}

/* Counts, once for a file, that it was opened: its content was there, or was WAITED for. */
static void count_open(struct crfs_file *file, const struct crfs_connection *connection, int waited) {
  if (__atomic_exchange_n(&file->is_counted, 1, __ATOMIC_RELAXED))
    return;
  crfs_tally(&connection->ring->misses, waited);
  crfs_tally(&connection->ring->hits, !waited);
  crfs_tally(&connection->ring->hit_bytes, waited ? 0 : crfs_file_size(file));
}

/* One try to have chunks of a file. */
struct attempt {
  struct crfs_range wanted;
  const struct crfs_asker *asker;
  uint64_t start_ns, deadline_ns;
};

/* Notes what came of a read that was to wait: an errno or 0, after so long a time. */
static void tell(struct crfs_file *file, struct crfs_connection *connection, uint32_t number, int error,
                 uint64_t waited) {
  count_open(file, connection, error != 0 || waited != 0);
  crfs_tally(&connection->ring->waited_ns, waited);
  crfs_tally(&connection->ring->errors, error != 0);
  crfs_tally_note(connection, number, file->inode, error, waited);
}

/* Asks for the chunks in WANTED. Returns 0, or an errno: EAGAIN if asking once more may help, else it is noted. */
static int ask(struct crfs_file *file, struct crfs_connection *connection, uint32_t number, struct crfs_range wanted,
               struct attempt *attempt) {
  const struct crfs_wanted request = {.number = number,
                                      .inode = file->inode,
                                      .first = wanted.first,
                                      .count = wanted.end - wanted.first,
                                      .asker = attempt->asker};
  int error = crfs_ask(connection, &request, file->layer->source->session->contact.timeout_ns, &attempt->deadline_ns);
  if (error == CRFS_ASK_GONE || error == EAGAIN)
    return EAGAIN;
  if (error != 0)
    tell(file, connection, number, error, crfs_now_ns() - attempt->start_ns);
  return error;
}

/* One round: looks, in all but the first also at what has the file's name by now, and asks for what is absent. Returns
 * 0 or EAGAIN for another one, or the errno in which all ends; with *CONTENT once all is there, whoever brought it. */
static int try_once(struct crfs_file *file, struct attempt *attempt, int round, struct crfs_content **content) {
  struct crfs_range wanted = attempt->wanted;
  uint32_t number;
  int error;
  *content = find(file, &wanted, &error);
  if (*content != NULL && round == 0)
    return 0;
  struct crfs_connection *connection = file->channel->acquire(file->channel->self, file->layer, &number);
  if (connection == NULL)
    return *content != NULL ? 0 : EIO;
  if (*content == NULL && (round > 0 || error != 0)) {
    wanted = attempt->wanted;
    error = reopen(file, connection);
    if (error == 0)
      *content = find(file, &wanted, &error);
  }
  if (*content != NULL)
    tell(file, connection, number, 0, round == 0 ? 0 : crfs_now_ns() - attempt->start_ns);
  else if (error == 0 || error == ENOENT)
    error = attempt->asker->failed != 0 ? attempt->asker->failed : ask(file, connection, number, wanted, attempt);
  crfs_connection_release(connection);
  return error;
}

/* Tells the daemon of a reader that went on to WANTED what it will want next: it is not asked for what is there, and
 * would not know. Two readers of one descriptor may hide each other. */
static void go_on(struct crfs_file *file, const struct crfs_range *wanted, const struct crfs_content *content) {
  uint32_t number, next = __atomic_exchange_n(&file->next, wanted->end, __ATOMIC_RELAXED);
  if (wanted->end <= next || wanted->first + 1 < next || wanted->first > next || wanted->end == inode_of(file)->count ||
      __atomic_load_n(&content->whole, __ATOMIC_RELAXED))
    return;
  struct crfs_connection *connection = file->channel->hold(file->channel->self, file->layer, &number);
  if (connection == NULL)
    return;
  const struct crfs_wanted ahead = {
      .number = number, .inode = file->inode, .first = wanted->end, .count = 1, .flags = CRFS_REQUEST_QUICK};
  if (!crfs_control_is_gone(&connection->control))
    crfs_ask_ahead(connection, &ahead);
  crfs_connection_release(connection);
}

int crfs_file_take(struct crfs_file *file, uint64_t offset, uint64_t size, const struct crfs_asker *asker,
                   struct crfs_content **content) {
  const uint64_t now = crfs_now_ns();
  struct attempt attempt = {
      .wanted = {.first = chunk_of(file, offset), .end = chunk_of(file, offset + size - 1) + 1},
      .asker = asker,
      .start_ns = now,
      .deadline_ns = now + file->layer->source->session->contact.timeout_ns,
  };
  for (int round = 0; round <= CRFS_REPEATS; round++) {
    int error = try_once(file, &attempt, round, content);
    if (*content != NULL)
      go_on(file, &attempt.wanted, *content);
    if (*content != NULL || (error != 0 && error != EAGAIN))
      return error;
  }
  return EIO;
}
