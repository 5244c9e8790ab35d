/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static int sextet(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '+' || c == '-')
    return 62;
  if (c == '/' || c == '_')
    return 63;
  return -1;
}

/* Length of OPAQUE without its padding, or -1: padding of a wrong length. */
static ptrdiff_t unpadded(const char *opaque) {
  size_t length = strlen(opaque), digits = length;
  while (digits > 0 && opaque[digits - 1] == '=')
    digits--;
  if (digits == length)
    return (ptrdiff_t)length;
  return length % 4 == 0 && length - digits <= 2 ? (ptrdiff_t)digits : -1;
}

/* Returns the number of bytes written to OUT, or -1. Bits left over behind the last byte must be zero (RFC 4648, 3.5):
 * they are what a cut text shows. */
static ptrdiff_t decode64(char *out, const char *opaque, size_t digits) {
  uint32_t bits = 0;
  unsigned held = 0;
  ptrdiff_t bytes = 0;
  for (size_t i = 0; i < digits; i++) {
    int value = sextet(opaque[i]);
    if (value < 0)
      return -1;
    bits = (bits << 6) | (uint32_t)value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[bytes++] = (char)(bits >> held);
      bits &= (1u << held) - 1;
    }
  }
  return held < 6 && bits == 0 ? bytes : -1;
}

static int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* Replaces %XX in TEXT (RFC 3986, 2.1). Returns 0, or -1: no two digits, or a NUL. */
static int decode_percent(char *text) {
  char *out = text;
  for (const char *in = text; *in != '\0'; in++) {
    if (*in != '%') {
      *out++ = *in;
      continue;
    }
    int high = hex(in[1]), low = high < 0 ? -1 : hex(in[2]);
    if (low < 0 || (high == 0 && low == 0))
      return -1;
    *out++ = (char)(high << 4 | low);
    in += 2;
  }
  *out = '\0';
  return 0;
}

int crfs_config_decode(struct crfs_config *config, const char *opaque, struct crfs_failure *failure) {
  static const char scheme[] = "file://";
  char *text = config->text;
  ptrdiff_t digits = unpadded(opaque);
  if (digits == 0)
    return crfs_fail(failure, EINVAL,
                     "no layer is named; give its path in base64url between //crfs/ and the directory");
  if (digits > (ptrdiff_t)CRFS_CONTROL_TEXT_LIMIT / 3 * 4)
    return crfs_fail(failure, ENAMETOOLONG, "too long: %td digits; at most %u are taken", digits,
                     CRFS_CONTROL_TEXT_LIMIT / 3 * 4);
  ptrdiff_t length = digits < 0 ? -1 : decode64(text, opaque, (size_t)digits);
  if (length <= 0 || memchr(text, '\0', (size_t)length) != NULL)
    return crfs_fail(failure, EINVAL, "no base64 of a text; use base64url, which holds no '/' that would end it early");
  text[length] = '\0';
  if (strncasecmp(text, scheme, sizeof scheme - 1) != 0) /* RFC 3986, 3.1 */
    return 0;
  memmove(text, text + sizeof scheme - 1, (size_t)length - (sizeof scheme - 1) + 1);
  if (text[0] != '/')
    return crfs_fail(failure, EINVAL, "file://%s names no local file; write file:///PATH", text);
  if (decode_percent(text) < 0)
    return crfs_fail(failure, EINVAL, "%s holds a '%%' without two hexadecimal digits of a byte; write %%25 for '%%'",
                     text);
  return 0;
}
