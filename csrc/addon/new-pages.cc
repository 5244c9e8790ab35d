// SPDX-License-Identifier: GPL-3.0-or-later

// What new pages of a file cost. On a machine of its own about as much by a mapping as by writing; where a virtual
// machine runs within another one, a fault of a page may take fifty times as long as to write it.

#include "addon/addon.h"
#include "addon/guard.h"

#include <algorithm>
#include <chrono>
#include <sys/mman.h>
#include <unistd.h>

namespace crfs {

namespace {

constexpr size_t kSlice = 64 << 10, kPage = 4096;
constexpr int kTurns = 2; // whoever is interrupted in one of them has another
constexpr double kDear = 4;

using Clock = std::chrono::steady_clock;
using Time = std::chrono::duration<double>;

// Each makes a slice of new pages. False: it cannot.
bool Map(int fd, off_t offset) {
  void *map = mmap(nullptr, kSlice, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
  if (map == MAP_FAILED)
    return false;
  volatile char *bytes = static_cast<char *>(map);
  const bool done = GuardMapping([bytes] {
    for (size_t at = 0; at < kSlice; at += kPage)
      bytes[at] = 0;
  });
  munmap(map, kSlice);
  return done;
}

bool Write(int fd, off_t offset) {
  static const char zeros[kSlice] = {};
  return pwrite(fd, zeros, kSlice, offset) == static_cast<ssize_t>(kSlice);
}

Time TimeOf(bool (*make)(int, off_t), int fd, off_t offset, bool &done) {
  const Clock::time_point begun = Clock::now();
  done = make(fd, offset) && done;
  return Clock::now() - begun;
}

// isMappingDear(fd, offset) -> whether new pages of this file take much longer by a mapping than written. Makes those
// of newPagesTried bytes from the offset of a page on, all in the file, which should have none yet, and sets them to
// zeros. null where that cannot be done.
Napi::Value IsMappingDear(const Napi::CallbackInfo &info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  off_t offset = static_cast<off_t>(info[1].As<Napi::Number>().Int64Value());
  Time mapped = Time::max(), written = Time::max();
  bool done = true;
  for (int turn = 0; turn < kTurns && done; turn++, offset += 2 * static_cast<off_t>(kSlice)) {
    mapped = std::min(mapped, TimeOf(Map, fd, offset, done));
    written = std::min(written, TimeOf(Write, fd, offset + static_cast<off_t>(kSlice), done));
  }
  return done ? Napi::Boolean::New(info.Env(), mapped > kDear * written) : info.Env().Null();
}

} // namespace

void AddNewPages(Napi::Env env, Napi::Object exports) {
  exports.Set("isMappingDear", Napi::Function::New(env, IsMappingDear));
  exports.Set("newPagesTried", Napi::Number::New(env, 2 * kTurns * static_cast<double>(kSlice)));
}

} // namespace crfs
