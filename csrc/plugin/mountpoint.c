/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/mountpoint.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char known[PATH_MAX];

/* The last of the arguments in FILE; freed by the caller. */
static char *last_argument(FILE *file) {
  char *argument = NULL, *last = NULL;
  size_t room = 0;
  while (getdelim(&argument, &room, '\0', file) > 0) {
    free(last);
    last = argument;
    argument = NULL;
    room = 0;
  }
  free(argument);
  return last;
}

const char *crfs_mountpoint(void) {
  char directory[PATH_MAX];
  if (known[0] != '\0')
    return known;
  FILE *file = fopen("/proc/self/cmdline", "re");
  char *argument = file == NULL ? NULL : last_argument(file);
  if (file != NULL)
    fclose(file);
  int length = -1;
  if (argument != NULL && argument[0] == '/')
    length = snprintf(known, sizeof known, "%s", argument);
  else if (argument != NULL && getcwd(directory, sizeof directory) != NULL)
    length = snprintf(known, sizeof known, "%s/%s", directory, argument);
  if (length < 0 || (size_t)length >= sizeof known)
    strcpy(known, "?");
  free(argument);
  return known;
}
