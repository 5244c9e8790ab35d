/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "client/report.h"

#include "shared/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int crfs_fail(struct crfs_failure *failure, int error, const char *format, ...) {
  va_list arguments;
  failure->error = error;
  va_start(arguments, format);
  vsnprintf(failure->text, sizeof failure->text, format, arguments);
  va_end(arguments);
  return -1;
}

/* Blanks the user and password of every http URL in TEXT, in place: up to the last '@' before the authority's end. */
static void hide_passwords(char *text) {
  for (char *scheme = text; (scheme = strstr(scheme, "://")) != NULL;) {
    char *start = scheme += sizeof "://" - 1;
    if (!(start - text >= 7 && strncasecmp(start - 7, "http", 4) == 0) &&
        !(start - text >= 8 && strncasecmp(start - 8, "https", 5) == 0))
      continue;
    char *end = start + strcspn(start, "/?# \t\n"), *at = end;
    while (at > start && *at != '@')
      at--;
    if (*at == '@') {
      memmove(start + 1, at, strlen(at) + 1);
      *start = '*';
    }
  }
}

void crfs_report(const char *asked, const struct crfs_failure *failure) {
  char shown[CRFS_CONTROL_TEXT_LIMIT + 1], said[sizeof failure->text], line[4096];
  snprintf(shown, sizeof shown, "%s", asked);
  snprintf(said, sizeof said, "%s", failure->text);
  hide_passwords(shown); /* as a whole: once it is cut, a password may have no '@' behind it */
  hide_passwords(said);
  snprintf(line, sizeof line, "crfs: %.2048s: %s", shown, said);
  for (char *c = line; *c != '\0'; c++)
    if ((unsigned char)*c < ' ' || *c == 127)
      *c = '?';
  fprintf(stderr, "%s\n", line);
}
