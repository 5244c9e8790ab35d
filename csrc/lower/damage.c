/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "lower/damage.h"

#include "client/report.h"
#include "lower/server.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const char *mounted;

/* It is the reading itself that is interrupted here: no lock is held that a report could wait for. */
static void end(int signal, siginfo_t *info, void *context) {
  struct crfs_failure failure;
  (void)context;
  if (info->si_code <= 0) { /* somebody has sent it: it takes effect behind this handler */
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(signal, &standard, NULL);
    raise(signal);
    return;
  }
  crfs_fail(&failure, EIO, "its index was cut short in the cache: unmount it, and mount it again");
  crfs_report(mounted, &failure);
  _exit(CRFS_NO_LAYERS);
}

void crfs_damage_watch(const char *asked) {
  const struct sigaction action = {.sa_sigaction = end, .sa_flags = SA_SIGINFO};
  mounted = asked;
  sigaction(SIGBUS, &action, NULL);
}
