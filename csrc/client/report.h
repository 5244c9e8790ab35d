/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What went wrong, as an errno for programs and in words for a person. */

#ifndef CRFS_CLIENT_REPORT_H
#define CRFS_CLIENT_REPORT_H

#define CRFS_ERRNO_LIMIT 4096 /* above all errnos: what another process gives for one may be anything */

struct crfs_failure {
  int error;
  char text[1024]; /* what is wrong; what would help */
};

/* Fills in FAILURE and returns -1. A message that does not fit is cut. */
int crfs_fail(struct crfs_failure *failure, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints `crfs: ASKED: TEXT` as one line on stderr, with whatever could break the line replaced, and without the
 * passwords of URLs. */
void crfs_report(const char *asked, const struct crfs_failure *failure);

#endif
