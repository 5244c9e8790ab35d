/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The index of one layer: every fact that a mount shows about the layer, in one file that is written once and mapped
 * read-only by every mount. Little-endian, version 3.
 *
 *   +------------------+ 0
 *   | crfs_index       |   header, 256 bytes
 *   +------------------+ inodes.offset
 *   | crfs_inode   []  |   inode 0 is the root directory
 *   +------------------+ dirents.offset
 *   | crfs_dirent  []  |   the entries of one directory are contiguous, and sorted by the bytes of their names
 *   +------------------+ chunks.offset
 *   | crfs_chunk   []  |   the chunks of one file are contiguous, and cover it from 0 to its size without a gap;
 *   |                  |   files stand in the order of their bytes in the blob
 *   +------------------+ digests.offset
 *   | uint8_t [][32]   |   sha256 of chunks, for those that have one and are not the whole file; and behind those of
 *   |                  |   one file, that of its content, if it is CRFS_INODE_SUMMED
 *   +------------------+ xattrs.offset
 *   | crfs_xattr   []  |
 *   +------------------+ slots.offset
 *   | crfs_slot    []  |   hash table over full paths, a power of two, open addressing with linear probing
 *   +------------------+ strings.offset
 *   | bytes            |   paths (no leading slash), symlink targets, xattr names and values
 *   +------------------+ points.offset
 *   | crfs_point   []  |   where decoding the blob can begin, in its order; of codec 3, and of codec 2 without a TOC
 *   +------------------+ windows.offset
 *   | bytes            |   what stands before the points, compressed; of codec 3, and empty of codec 2
 *   +------------------+ file_size
 *
 * The last two are all zero for all else. Every table starts at a multiple of 8. crfs_index_open (index.c) checks
 * all of it once; after that no field can lead outside the mapping, and no reader needs a check of its own.
 */

#ifndef CRFS_INDEX_H
#define CRFS_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define CRFS_STATIC_ASSERT static_assert
#else
#define CRFS_STATIC_ASSERT _Static_assert
#endif

#define CRFS_INDEX_MAGIC 0x5844495346524301ull /* "\1CRFSIDX" */
#define CRFS_INDEX_VERSION 3u

#define CRFS_NAME_LIMIT 255u        /* bytes of a name, as of NAME_MAX */
#define CRFS_PATH_LIMIT 4095u       /* bytes of a path, as of PATH_MAX */
#define CRFS_INODE_LIMIT (1u << 24) /* inodes of a layer: 24 bits of an inode number count them */
#define CRFS_WINDOW_LIMIT 32768u    /* bytes that deflate looks back */
#define CRFS_PROBE_LIMIT 512u       /* slots that a lookup may try; the writer doubles the table until this holds */

/* A table: COUNT records from byte OFFSET of the file. */
struct crfs_table {
  uint64_t offset;
  uint64_t count;
};

struct crfs_index {
  uint64_t magic;
  uint32_t version;
  uint32_t probes;       /* the most slots that any lookup, hit or miss, has to try */
  uint64_t file_size;    /* bytes of the whole index */
  uint8_t key[32];       /* sha256 of the TOC; of that and the blob's identity, if some content has no digest */
  uint64_t ino_base;     /* inode n shows as ino_base | n; bit 63 is set, so that no plain lower directory collides */
  uint64_t blob_used;    /* the largest chunk offset; the blob's TOC must lie behind it */
  uint64_t prefetch_end; /* bytes [0, prefetch_end) of the blob are wanted at start; 0: nothing is */
  uint64_t content_size; /* sum of the sizes of all regular files, each inode once */
  uint32_t hash_seed;    /* start value of crfs_hash_path */
  uint32_t flags;        /* CRFS_INDEX_* */
  struct crfs_table inodes;
  struct crfs_table dirents;
  struct crfs_table chunks;
  struct crfs_table digests;
  struct crfs_table xattrs;
  struct crfs_table slots;
  struct crfs_table strings; /* count: bytes */
  uint32_t codec;            /* how chunks are compressed: CRFS_CODEC_* */
  uint32_t reserved;
  struct crfs_table points;
  struct crfs_table windows; /* count: bytes */
  uint8_t unused[8];
};

/* crfs_index.flags */
#define CRFS_INDEX_UNVERIFIED 1u /* some file has no digest in the TOC, so its bytes cannot be checked */

/* crfs_index.codec */
#define CRFS_CODEC_GZIP 1u        /* a gzip member holds one chunk, or several */
#define CRFS_CODEC_ZSTD 2u        /* a chunk is one zstd frame, or several; or a part of what these hold */
#define CRFS_CODEC_GZIP_POINTS 3u /* gzip as it comes: a chunk is decoded from a point on, of which its offset is */
#define CRFS_CODEC_NONE 4u        /* the bytes of a chunk are those of the blob */

/* One file, directory or device. A hardlink is a second crfs_dirent of the same inode, which is no directory: so no way
 * leads in a circle. */
struct crfs_inode {
  uint64_t size; /* regular file: bytes of content; symlink: bytes of its target; else 0 */
  int64_t mtime_sec;
  uint32_t mtime_nsec;
  uint32_t mode; /* S_IFMT and permission bits */
  uint32_t uid;
  uint32_t gid;
  uint32_t nlink;
  uint32_t flags;       /* CRFS_INODE_* */
  uint32_t xattr_first; /* index into xattrs */
  uint32_t xattr_count;
  uint64_t first;  /* regular file: first chunk; directory: first dirent; symlink: its target's place in strings */
  uint32_t count;  /* regular file: chunks; directory: dirents */
  uint32_t dirent; /* a dirent of this inode, which gives it a path; the root: 0 */
  union {
    uint8_t key[32]; /* regular file: the name of its object */
    struct {
      uint32_t major; /* device */
      uint32_t minor;
    } rdev;
  } u;
};

/* crfs_inode.flags */
#define CRFS_INODE_DIGEST 1u /* the key is the sha256 of the content; else it names chunk digests, or the blob */
#define CRFS_INODE_WHOLE 2u  /* several chunks that can only be checked together: nothing is read before all of it */
#define CRFS_INODE_SUMMED 4u /* the sha256 of the content, too, is known: behind those of its chunks in digests */

struct crfs_dirent {
  uint32_t path; /* place of the full path in strings */
  uint32_t inode;
  uint16_t path_length; /* 1 .. CRFS_PATH_LIMIT */
  uint8_t name_length;  /* the name is the path's tail of so many bytes: 1 .. CRFS_NAME_LIMIT */
  uint8_t type;         /* DT_* */
};

struct crfs_chunk {
  uint64_t offset; /* of the gzip member, the first zstd frame, the point or the chunk's own bytes, in the blob */
  uint64_t end;    /* the next larger offset in use, or UINT64_MAX: up to the TOC; == offset: zeros, without bytes */
  uint64_t inner;  /* where the content starts in the output of the member, or from the point on */
  uint64_t file_offset; /* where it belongs in the file */
  uint64_t size;        /* bytes of content, at least 1 */
  uint32_t digest;      /* 1 + index into digests; 0: none, or the file's own where it is the only chunk */
  uint32_t inode;
};

struct crfs_xattr {
  uint32_t name; /* places in strings */
  uint32_t value;
  uint32_t value_length;
  uint16_t name_length; /* 1 .. 255 */
  uint16_t reserved;
};

/* A place in a member at which a block of deflate begins (RFC 1951), so that it can be inflated from there on by
 * whoever has what was inflated before: the window. Of zstd, where a frame begins, before which nothing is needed. */
struct crfs_point {
  uint64_t offset;        /* of the byte in the blob that holds its first bit; more than that of the point before */
  uint64_t out;           /* bytes that all before it inflates to; more than before the point before */
  uint64_t window;        /* place in windows */
  uint32_t window_length; /* bytes there: a gzip member; 0: nothing stands before it */
  uint16_t window_size;   /* bytes that it inflates to: up to CRFS_WINDOW_LIMIT */
  uint8_t bit;            /* the first bit of the byte: 0 .. 7 */
  uint8_t reserved;
};

struct crfs_slot {
  uint32_t tag;    /* the second word of the path's hash */
  uint32_t dirent; /* 1 + index into dirents; 0: empty */
};

CRFS_STATIC_ASSERT(sizeof(struct crfs_index) == 256, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_index, inodes) == 96, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_inode) == 96, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_inode, u) == 64, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_dirent) == 12, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_chunk) == 48, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_xattr) == 16, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_slot) == 8, "layout");
CRFS_STATIC_ASSERT(sizeof(struct crfs_point) == 32, "layout");
CRFS_STATIC_ASSERT(offsetof(struct crfs_index, points) == 216, "layout");

/* The hash of a path, both words in one pass over its bytes: `place` picks the slot, `tag` tells paths of one slot
 * apart. 32-bit multiplications only, so that Math.imul computes the same. The seed is taken from the TOC's digest:
 * nobody can write a TOC whose names were chosen to collide under the seed that this very TOC gives. */
struct crfs_hash {
  uint32_t place;
  uint32_t tag;
};

static inline struct crfs_hash crfs_hash_path(uint32_t seed, const char *path, size_t length) {
  struct crfs_hash h = {seed ^ 0x811c9dc5u, seed + 0x9e3779b9u};
  for (size_t i = 0; i < length; i++) {
    uint8_t c = (uint8_t)path[i];
    h.place = (h.place ^ c) * 0x01000193u;
    h.tag = (h.tag + c) * 0x85ebca6bu;
    h.tag ^= h.tag >> 15;
  }
  h.place ^= h.place >> 16;
  h.place *= 0x7feb352du;
  h.place ^= h.place >> 15;
  return h;
}

/* A checked index. Filled by crfs_index_open; the tables point into the caller's mapping, which must outlive it. */
struct crfs_index_view {
  const struct crfs_index *header;
  const struct crfs_inode *inodes;
  const struct crfs_dirent *dirents;
  const struct crfs_chunk *chunks;
  const uint8_t (*digests)[32];
  const struct crfs_xattr *xattrs;
  const struct crfs_slot *slots;
  const char *strings;
  const struct crfs_point *points;
};

/* Checks the SIZE bytes at MAP, which must be aligned to 8, and fills VIEW.
 * Returns NULL, or what is wrong: a constant string that names the broken rule. Any thread; no allocation. A large
 * index is checked by several threads, none of which is left on return. */
const char *crfs_index_open(struct crfs_index_view *view, const void *map, size_t size);

/* The dirent of a path: relative, no leading, trailing or double slashes, no "." parts; LENGTH > 0.
 * Returns NULL if the layer has no such path. */
const struct crfs_dirent *crfs_index_find(const struct crfs_index_view *view, const char *path, size_t length);

#ifdef __cplusplus
}
#endif

#endif
