/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/report.h"

#include <stdarg.h>
#include <stdio.h>

int crfs_fail(struct crfs_failure *failure, int error, const char *format, ...) {
  va_list arguments;
  failure->error = error;
  va_start(arguments, format);
  vsnprintf(failure->text, sizeof failure->text, format, arguments);
  va_end(arguments);
  return -1;
}

void crfs_report(const char *asked, const struct crfs_failure *failure) {
  char line[4096];
  snprintf(line, sizeof line, "crfs: %.2048s: %s", asked, failure->text);
  for (char *c = line; *c != '\0'; c++)
    if ((unsigned char)*c < ' ' || *c == 127)
      *c = '?';
  fprintf(stderr, "%s\n", line);
}
