/* SPDX-License-Identifier: GPL-3.0-or-later */

/* libFuzzer: a configuration of any bytes is decoded to a text, or refused with an errno and words. */

#include "plugin/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct crfs_failure failure = {0};
  struct crfs_config *config = malloc(sizeof *config);
  char *opaque = malloc(size + 1);
  memcpy(opaque, data, size);
  opaque[size] = '\0';
  int result = crfs_config_decode(config, opaque, &failure);
  if (result == 0 ? strlen(config->text) == 0 : failure.error <= 0 || failure.text[0] == '\0')
    abort();
  free(opaque);
  free(config);
  return 0;
}
