/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "store/name.h"

#include <stdint.h>
#include <string.h>

static int value_of(char c) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c == '\0' ? NULL : strchr(alphabet, c);
  return at == NULL ? -1 : (int)(at - alphabet);
}

/* What references are made of. `/` of base64 stands for bytes that end in six ones, which none of these does: so that
 * the base64 of a reference is always one name, and never two. */
static int is_in_references(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("._-:/@[]", c) != NULL);
}

int crfs_name_decode(const char *name, char reference[CRFS_REFERENCE_SIZE]) {
  const size_t length = strlen(name);
  size_t padding = 0, count = 0;
  uint32_t bits = 0;
  while (padding < 2 && padding < length && name[length - 1 - padding] == '=')
    padding++;
  if (length == 0 || length % 4 != 0 || length / 4 * 3 >= CRFS_REFERENCE_SIZE)
    return -1;
  for (size_t n = 0; n < length - padding; n++) {
    const int value = value_of(name[n]);
    if (value < 0)
      return -1;
    bits = bits << 6 | (uint32_t)value;
    if (n % 4 == 0) /* six bits make no byte yet */
      continue;
    const unsigned left = 6 - 2 * (n % 4); /* of these bits, for the next byte */
    reference[count] = (char)(bits >> left);
    bits &= (1u << left) - 1;
    if (!is_in_references(reference[count++]))
      return -1;
  }
  reference[count] = '\0';
  return bits == 0 ? 0 : -1;
}

int crfs_name_is_digest(const char *name) {
  return strncmp(name, "sha256:", 7) == 0 && strspn(name + 7, "0123456789abcdef") == 64 && name[71] == '\0';
}
