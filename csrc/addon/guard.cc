// SPDX-License-Identifier: GPL-3.0-or-later

#include "addon/guard.h"

#include <mutex>

namespace crfs {

thread_local sigjmp_buf *guard_target = nullptr;
thread_local const void *guard_fault = nullptr;

static void OnBusError(int signal, siginfo_t *info, void *) {
  if (guard_target != nullptr) {
    guard_fault = info->si_addr;
    siglongjmp(*guard_target, 1);
  }
  // nobody's guard: die as without us, when the faulting instruction runs again
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

void InstallGuard() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
  });
}

} // namespace crfs
