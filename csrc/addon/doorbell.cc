// SPDX-License-Identifier: GPL-3.0-or-later

// The doorbell that the workers of this process sleep on: one page in a memfd, which mounts map.

#include "addon/doorbell.h"

#include "addon/addon.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace crfs {

namespace {

struct Bell {
  int fd;
  crfs_doorbell *shared;

  Bell() {
    fd = memfd_create("crfs-doorbell", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, sizeof *shared) < 0)
      abort();
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    void *page = mmap(nullptr, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
      abort();
    shared = static_cast<crfs_doorbell *>(page);
  }
};

Bell &Own() {
  static Bell *bell = new Bell; // never destroyed: threads may outlive the end of main
  return *bell;
}

// doorbellFd() -> descriptor for mounts, which stays the addon's.
Napi::Value DoorbellFd(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), Own().fd);
}

// doorbellBeat(): shows mounts that the daemon lives.
Napi::Value DoorbellBeat(const Napi::CallbackInfo &info) {
  crfs_doorbell_beat(Own().shared);
  return info.Env().Undefined();
}

// doorbellRing(times): wakes as many sleepers.
Napi::Value DoorbellRing(const Napi::CallbackInfo &info) {
  for (uint32_t i = 0, times = info[0].As<Napi::Number>().Uint32Value(); i < times; i++)
    crfs_doorbell_ring(Own().shared);
  return info.Env().Undefined();
}

// doorbellSleepers() -> workers that wait for it, or are about to.
Napi::Value DoorbellSleepers(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), __atomic_load_n(&Own().shared->sleepers, __ATOMIC_RELAXED));
}

// doorbellCount() -> what to hand to doorbellWait; read it before looking for work.
Napi::Value DoorbellCount(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), crfs_doorbell_count(Own().shared));
}

// doorbellWait(count): blocks this thread until the doorbell rings after `count` was read, or for a second: mounts
// write to the doorbell, too, and one that writes nonsense may keep others waiting no longer than that.
Napi::Value DoorbellWait(const Napi::CallbackInfo &info) {
  constexpr uint64_t second_ns = 1000000000u;
  crfs_doorbell_wait(Own().shared, info[0].As<Napi::Number>().Uint32Value(), crfs_now_ns() + second_ns);
  return info.Env().Undefined();
}

} // namespace

crfs_doorbell *Doorbell() {
  return Own().shared;
}

void AddDoorbell(Napi::Env env, Napi::Object exports) {
  exports.Set("doorbellFd", Napi::Function::New(env, DoorbellFd));
  exports.Set("doorbellBeat", Napi::Function::New(env, DoorbellBeat));
  exports.Set("doorbellRing", Napi::Function::New(env, DoorbellRing));
  exports.Set("doorbellSleepers", Napi::Function::New(env, DoorbellSleepers));
  exports.Set("doorbellCount", Napi::Function::New(env, DoorbellCount));
  exports.Set("doorbellWait", Napi::Function::New(env, DoorbellWait));
}

} // namespace crfs
