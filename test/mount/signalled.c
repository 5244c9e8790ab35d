/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Writes a page of a mapped file to its output, as one that is read past all readahead: while it waits for its bytes,
 * it handles SIGUSR1. Ends with 1 if the page is not to be had.
 *
 * usage: signalled FILE OFFSET */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

static void handle(int number) {
  (void)number;
}

int main(int argc, char **argv) {
  const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  if (argc != 3 || sigaction(SIGUSR1, &action, NULL) != 0)
    return 2;
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
  void *page = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, atol(argv[2]));
  if (page == MAP_FAILED || madvise(page, SIZE, MADV_RANDOM) != 0)
    return 2;
  if (write(STDOUT_FILENO, page, SIZE) == SIZE)
    return 0;
  perror(argv[1]);
  return 1;
}
