/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "plugin/mountpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void crfs_mountpoint(char mountpoint[PATH_MAX]) {
  char directory[PATH_MAX];
  FILE *file = fopen("/proc/self/cmdline", "re");
  char *argument = file == NULL ? NULL : last_argument(file);
  if (file != NULL)
    fclose(file);
  int length = -1;
  if (argument != NULL && argument[0] == '/')
    length = snprintf(mountpoint, PATH_MAX, "%s", argument);
  else if (argument != NULL && getcwd(directory, sizeof directory) != NULL)
    length = snprintf(mountpoint, PATH_MAX, "%s/%s", directory, argument);
  if (length < 0 || length >= PATH_MAX)
    strcpy(mountpoint, "?");
  free(argument);
}
