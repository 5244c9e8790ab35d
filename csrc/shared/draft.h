/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A draft: a file of several chunks that is being filled, in `drafts/ab/<name>`, where <name> is that of the object
 * that it becomes. Workers fill it in, and whoever reads it before it is whole looks at its map.
 *
 *   0                       content: holes where chunks are absent
 *   size                    slack: what a decoder may write behind the last chunk
 *   crfs_draft_map(size)    the map: a byte for each chunk of the file: CRFS_CHUNK_THERE once the chunk's bytes are in
 *                           their place and were checked against the chunk's digest, else 0
 *
 * A chunk is filled by whoever holds its lock: an open file description lock (fcntl, F_OFD_SETLKW) on its byte of the
 * map, which ends with whoever held it. Bytes of a chunk that is there are never written again.
 *
 * When all chunks are there, the map is cut off and the file renamed into `objects`. So a map that ends too early says
 * that everything is there. A draft that loses its name before that (to make room in the cache) gets no more chunks:
 * whoever reads it opens what has its name now.
 */

#ifndef CRFS_DRAFT_H
#define CRFS_DRAFT_H

#include <stdint.h>

#define CRFS_CHUNK_THERE 1u
#define CRFS_DRAFT_SLACK 65536u

/* Where the map of a file of SIZE bytes begins; a multiple of the size of a page, on every machine. */
static inline uint64_t crfs_draft_map(uint64_t size) {
  return (size + CRFS_DRAFT_SLACK + 65535u) & ~(uint64_t)65535u;
}

#endif
