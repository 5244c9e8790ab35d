/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "native/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X50 X50 X50 X50 X50 "xxxxx"
#define Y255 X50 X50 X50 X50 X50 "yyyyy"

const struct sample_file sample_files[] = {
    {"", S_IFDIR | 0755, .owner = 0},
    {"bin", S_IFDIR | 0755, .owner = 0},
    {"bin/sh", S_IFREG | 0755, .size = 10000},
    {"bin/bash", 0, .target = "bin/sh"},
    {"bin/su", S_IFREG | 04755, .size = 77},
    {"bin/link", S_IFLNK | 0777, .target = "../etc/passwd"},
    {"bin/link2", 0, .target = "bin/link"},
    {"dev", S_IFDIR | 0755, .owner = 0},
    {"dev/null", S_IFCHR | 0666, .major = 1, .minor = 3},
    {"dev/disk", S_IFBLK | 0660, .major = 259, .minor = 70000},
    {"dev/pipe", S_IFIFO | 0600, .owner = 3000000000u},
    {"dev/zero", 0, .target = "dev/null"},
    {"empty", S_IFREG | 0644, .size = 0},
    {"etc", S_IFDIR | 02750, .owner = 42, .xattrs = 2},
    {"etc/.wh.gone", S_IFREG | 0, .size = 0},
    {"etc/.wh..wh..opq", S_IFREG | 0, .size = 0},
    {"etc/old", S_IFCHR | 0, .owner = 0},
    {"etc/passwd", S_IFREG | 0600, .size = 4097, .owner = 42, .xattrs = 2},
    {"etc/a\nb \xff\x01", S_IFREG | 0644, .size = 1},
    {X255, S_IFDIR | 0755, .owner = 0},
    {X255 "/" Y255, S_IFREG | 0444, .size = 4096},
    {"usr", S_IFDIR | 0755, .owner = 0},
    {"usr/share", S_IFDIR | 0700, .owner = 7},
    {"usr/share/doc", S_IFDIR | 01777, .owner = 8, .xattrs = 1},
    {"big", S_IFREG | 0644, .size = 40000},
};
const size_t sample_count = sizeof sample_files / sizeof sample_files[0];

const char *const sample_xattr_name[2] = {"user.colour", "user.bytes"};
const char sample_xattr_value[2][8] = {"darkblue", "a\0b\xff\n\1\2"};

const char *sample_long_name(void) {
  return X255;
}

const char *sample_long_path(void) {
  return X255 "/" Y255;
}

unsigned char sample_byte(uint32_t inode, uint64_t at) {
  return (unsigned char)((at * 31 + inode * 7 + (at >> 8)) & 0xff);
}

void sample_object_name(char name[68], const uint8_t key[32]) {
  int length = sprintf(name, "%02x/", key[0]);
  for (int i = 0; i < 32; i++)
    length += sprintf(name + length, "%02x", key[i]);
}

/* Tables while they grow. */
struct tables {
  struct crfs_inode inodes[64];
  struct crfs_dirent dirents[64];
  struct crfs_chunk chunks[2048];
  struct crfs_xattr xattrs[64];
  char strings[16384];
  uint32_t inode_count, dirent_count, chunk_count, xattr_count, string_count;
  uint32_t inode_of[64], dirent_of[64]; /* by place in sample_files */
};

static uint32_t add_string(struct tables *t, const char *bytes, size_t length) {
  memcpy(t->strings + t->string_count, bytes, length);
  t->string_count += (uint32_t)length;
  return t->string_count - (uint32_t)length;
}

static size_t place_of(const char *path) {
  for (size_t i = 0; i < sample_count; i++)
    if (strcmp(sample_files[i].path, path) == 0)
      return i;
  abort();
}

static void add_file(struct tables *t, struct crfs_inode *inode, const struct sample_file *f) {
  inode->size = f->size;
  inode->first = t->chunk_count;
  for (uint64_t at = 0; at < f->size; at += SAMPLE_CHUNK)
    t->chunks[t->chunk_count++] = (struct crfs_chunk){
        .offset = t->chunk_count * 100u,
        .end = t->chunk_count * 100u + 100u,
        .file_offset = at,
        .size = f->size - at < SAMPLE_CHUNK ? f->size - at : SAMPLE_CHUNK,
        .inode = t->inode_count,
    };
  inode->count = (uint32_t)(t->chunk_count - inode->first);
  inode->flags = CRFS_INODE_DIGEST;
  memset(inode->u.key, (int)(t->inode_count * 13 + 1), sizeof inode->u.key);
}

static void add_inode(struct tables *t, size_t place) {
  const struct sample_file *f = &sample_files[place];
  struct crfs_inode *inode = &t->inodes[t->inode_count];
  *inode = (struct crfs_inode){
      .mtime_sec = SAMPLE_MTIME,
      .mtime_nsec = SAMPLE_NSEC,
      .mode = f->mode,
      .uid = f->owner,
      .gid = f->owner + (f->owner != 0),
      .nlink = 1,
      .xattr_first = t->xattr_count,
      .xattr_count = f->xattrs,
  };
  for (uint32_t n = 0; n < f->xattrs; n++)
    t->xattrs[t->xattr_count++] = (struct crfs_xattr){
        .name = add_string(t, sample_xattr_name[n], strlen(sample_xattr_name[n])),
        .name_length = (uint16_t)strlen(sample_xattr_name[n]),
        .value = add_string(t, sample_xattr_value[n], sizeof sample_xattr_value[n]),
        .value_length = sizeof sample_xattr_value[n],
    };
  if (S_ISREG(f->mode)) {
    add_file(t, inode, f);
  } else if (S_ISLNK(f->mode)) {
    inode->size = strlen(f->target);
    inode->first = add_string(t, f->target, inode->size);
  } else {
    inode->u.rdev.major = f->major;
    inode->u.rdev.minor = f->minor;
  }
  t->inode_of[place] = t->inode_count++;
}

static size_t parent_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? 0 : (size_t)(slash - path);
}

static int by_name(const void *a, const void *b) {
  const char *left = sample_files[*(const size_t *)a].path, *right = sample_files[*(const size_t *)b].path;
  return strcmp(left, right); /* of one directory: the same bytes in front */
}

static void add_directory(struct tables *t, size_t place) {
  const char *path = sample_files[place].path;
  size_t children[64], count = 0;
  for (size_t i = 1; i < sample_count; i++)
    if (parent_length(sample_files[i].path) == strlen(path) && strncmp(sample_files[i].path, path, strlen(path)) == 0)
      children[count++] = i;
  qsort(children, count, sizeof children[0], by_name);
  struct crfs_inode *directory = &t->inodes[t->inode_of[place]];
  directory->first = t->dirent_count;
  directory->count = (uint32_t)count;
  for (size_t i = 0; i < count; i++) {
    const char *child = sample_files[children[i]].path;
    uint32_t inode = t->inode_of[children[i]];
    t->inodes[inode].dirent = t->dirent_count;
    t->dirents[t->dirent_count++] = (struct crfs_dirent){
        .path = add_string(t, child, strlen(child)),
        .inode = inode,
        .path_length = (uint16_t)strlen(child),
        .name_length = (uint8_t)(strlen(child) - parent_length(child) - (parent_length(child) != 0)),
        .type = (uint8_t)((t->inodes[inode].mode & S_IFMT) >> 12),
    };
  }
}

static struct crfs_table put(char *out, uint64_t *end, const void *records, size_t record, uint64_t count) {
  struct crfs_table table = {.offset = (*end + 7) & ~7ull, .count = count};
  if (count > 0)
    memcpy(out + table.offset, records, record * count);
  *end = table.offset + record * count;
  return table;
}

static void add_slots(struct crfs_index *h, const struct tables *t, struct crfs_slot *slots, uint32_t size) {
  for (uint32_t i = 0; i < t->dirent_count; i++) {
    const struct crfs_dirent *d = &t->dirents[i];
    struct crfs_hash hash = crfs_hash_path(h->hash_seed, t->strings + d->path, d->path_length);
    uint32_t probes = 1;
    while (slots[(hash.place + probes - 1) & (size - 1)].dirent != 0)
      probes++;
    slots[(hash.place + probes - 1) & (size - 1)] = (struct crfs_slot){.tag = hash.tag, .dirent = i + 1};
    if (probes > h->probes)
      h->probes = probes;
  }
}

size_t sample_index(void *out) {
  static struct tables t;
  struct crfs_slot slots[64] = {0};
  memset(&t, 0, sizeof t);
  memset(out, 0, SAMPLE_SIZE);
  for (size_t i = 0; i < sample_count; i++)
    if (sample_files[i].mode != 0)
      add_inode(&t, i);
  for (size_t i = 0; i < sample_count; i++)
    if (sample_files[i].mode == 0) {
      t.inode_of[i] = t.inode_of[place_of(sample_files[i].target)];
      t.inodes[t.inode_of[i]].nlink++;
    }
  for (size_t i = 0; i < sample_count; i++)
    if (S_ISDIR(sample_files[i].mode))
      add_directory(&t, i);

  struct crfs_index *h = out;
  uint64_t end = sizeof *h;
  *h = (struct crfs_index){
      .magic = CRFS_INDEX_MAGIC,
      .version = CRFS_INDEX_VERSION,
      .codec = CRFS_CODEC_GZIP,
      .probes = 1,
      .ino_base = 1ull << 63 | 0x1234567ull << 24,
      .blob_used = t.chunk_count * 100u,
      .hash_seed = 0x5eed,
  };
  memset(h->key, 0xd1, sizeof h->key);
  add_slots(h, &t, slots, 64);
  h->inodes = put(out, &end, t.inodes, sizeof t.inodes[0], t.inode_count);
  h->dirents = put(out, &end, t.dirents, sizeof t.dirents[0], t.dirent_count);
  h->chunks = put(out, &end, t.chunks, sizeof t.chunks[0], t.chunk_count);
  h->digests = put(out, &end, NULL, 32, 0);
  h->xattrs = put(out, &end, t.xattrs, sizeof t.xattrs[0], t.xattr_count);
  h->slots = put(out, &end, slots, sizeof slots[0], 64);
  h->strings = put(out, &end, t.strings, 1, t.string_count);
  h->file_size = end;
  return end;
}
