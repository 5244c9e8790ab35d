/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: an index of any bytes is refused, or read all over without leaving it. */

#include "native/read-index.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct crfs_index_view view;
  void *map = malloc(size); /* of exactly its size, so that the sanitizer sees any access outside */
  memcpy(map, data, size);
  if (crfs_index_open(&view, map, size) == NULL)
    read_index(&view);
  free(map);
  return 0;
}
