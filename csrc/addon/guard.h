// SPDX-License-Identifier: GPL-3.0-or-later

// A mapped file raises SIGBUS where it is written to and its disk is full, and where it is read and has become shorter,
// or its disk fails. A guard turns that into a result.

#ifndef CRFS_GUARD_H
#define CRFS_GUARD_H

#include <csetjmp>
#include <csignal>

namespace crfs {

extern thread_local sigjmp_buf *guard_target; // where SIGBUS on this thread returns to; null: nowhere

extern thread_local const void *guard_fault; // the address that the last one was about

void InstallGuard(); // once per process

// Runs `body`, which must hold no resource that an abandoned run would leak. Returns false if SIGBUS ended it.
template <typename Body>
bool GuardMapping(Body body) {
  sigjmp_buf target;
  if (sigsetjmp(target, 1) != 0) {
    guard_target = nullptr;
    return false;
  }
  guard_target = &target;
  body();
  guard_target = nullptr;
  return true;
}

} // namespace crfs

#endif
