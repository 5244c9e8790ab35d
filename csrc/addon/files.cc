// SPDX-License-Identifier: GPL-3.0-or-later

// What Node lacks of files and memory: mappings, locks, syncfs, giving memory back.

#include "addon/addon.h"
#include "addon/guard.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/fs.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <map>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace crfs {

Napi::Value ThrowErrno(Napi::Env env, const char *call, int error) {
  Napi::Error e = Napi::Error::New(env, std::string(call) + ": " + strerror(error));
  e.Set("errno", Napi::Number::New(env, error));
  e.Set("syscall", Napi::String::New(env, call));
  e.ThrowAsJavaScriptException();
  return env.Undefined();
}

namespace {

thread_local std::map<void *, size_t> mappings; // of this thread's environment

// A worker that dies leaves its mappings, which would hold the disk space of files that are long gone.
void UnmapAll(void *) {
  for (auto [data, size] : mappings)
    munmap(data, size);
  mappings.clear();
}

// map(fd, writable, offset = 0, length = to the end) -> ArrayBuffer over a part of the file, shared. It stays mapped
// until unmap, or its thread ends. The offset must be that of a page.
Napi::Value Map(const Napi::CallbackInfo &info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  int protection = info[1].As<Napi::Boolean>().Value() ? PROT_READ | PROT_WRITE : PROT_READ;
  auto number = [&](size_t i) { return static_cast<size_t>(info[i].As<Napi::Number>().Int64Value()); };
  size_t offset = info[2].IsNumber() ? number(2) : 0;
  struct stat st;
  if (fstat(fd, &st) < 0)
    return ThrowErrno(info.Env(), "fstat", errno);
  size_t length = info[3].IsNumber() ? number(3) : static_cast<size_t>(st.st_size) - offset;
  void *map = mmap(nullptr, length, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (map == MAP_FAILED)
    return ThrowErrno(info.Env(), "mmap", errno);
  mappings[map] = length;
  return Napi::ArrayBuffer::New(info.Env(), map, length);
}

// unmap(buffer): detaches the buffer, so that its views are empty from now on, and ends the mapping.
Napi::Value Unmap(const Napi::CallbackInfo &info) {
  Napi::ArrayBuffer buffer = info[0].As<Napi::ArrayBuffer>();
  void *data = buffer.Data();
  size_t size = buffer.ByteLength();
  buffer.Detach();
  munmap(data, size);
  mappings.erase(data);
  return info.Env().Undefined();
}

// lock(fd) -> whether this process now holds the exclusive lock of the file.
Napi::Value Lock(const Napi::CallbackInfo &info) {
  if (flock(info[0].As<Napi::Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0)
    return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK)
    return Napi::Boolean::New(info.Env(), false);
  return ThrowErrno(info.Env(), "flock", errno);
}

// Sets a lock of this open file, not of this process, on one byte.
Napi::Value SetByteLock(const Napi::CallbackInfo &info, int command, short type) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(info[1].As<Napi::Number>().Int64Value());
  lock.l_len = 1;
  while (fcntl(info[0].As<Napi::Number>().Int32Value(), command, &lock) < 0)
    if (errno != EINTR)
      return ThrowErrno(info.Env(), "fcntl", errno);
  return info.Env().Undefined();
}

// lockByte(fd, offset): waits until this open file has a byte of the file for itself: until unlockByte, or its closing.
Napi::Value LockByte(const Napi::CallbackInfo &info) {
  return SetByteLock(info, F_OFD_SETLKW, F_WRLCK);
}

Napi::Value UnlockByte(const Napi::CallbackInfo &info) {
  return SetByteLock(info, F_OFD_SETLK, F_UNLCK);
}

// punch(fd, offset, length): makes a part of a file zeros, and gives its space back. Returns false where the file
// system cannot.
Napi::Value Punch(const Napi::CallbackInfo &info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  auto number = [&](size_t i) { return static_cast<off_t>(info[i].As<Napi::Number>().Int64Value()); };
  int result;
  do
    result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, number(1), number(2));
  while (result < 0 && errno == EINTR);
  if (result < 0 && errno != EOPNOTSUPP)
    return ThrowErrno(info.Env(), "fallocate", errno);
  return Napi::Boolean::New(info.Env(), result == 0);
}

class SyncWorker : public Napi::AsyncWorker {
public:
  SyncWorker(Napi::Env env, int fd) : Napi::AsyncWorker(env), deferred_(env), fd_(fd) {}
  Napi::Promise Promise() const {
    return deferred_.Promise();
  }
  void Execute() override {
    if (syncfs(fd_) < 0)
      SetError(std::string("syncfs: ") + strerror(errno));
  }
  void OnOK() override {
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error &error) override {
    deferred_.Reject(error.Value());
  }

private:
  Napi::Promise::Deferred deferred_;
  int fd_;
};

// syncFileSystem(fd) -> promise: all that was written to the file system of the file is on its disk.
Napi::Value SyncFileSystem(const Napi::CallbackInfo &info) {
  auto *worker = new SyncWorker(info.Env(), info[0].As<Napi::Number>().Int32Value());
  Napi::Promise promise = worker->Promise();
  worker->Queue();
  return promise;
}

// spreadDirectories(fd): has ext4 put each directory that is made in this one into another part of the disk, and the
// files in it near it: chattr(1), +T. Other file systems have no such flag, and need none.
Napi::Value SpreadDirectories(const Napi::CallbackInfo &info) {
  constexpr int top_of_hierarchies = 0x20000; // EXT4_TOPDIR_FL
  int fd = info[0].As<Napi::Number>().Int32Value(), flags;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= top_of_hierarchies;
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
  }
  return info.Env().Undefined();
}

// trimMemory(): gives the system back what ended threads have freed, which glibc keeps for later.
Napi::Value TrimMemory(const Napi::CallbackInfo &info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return info.Env().Undefined();
}

} // namespace

void AddFiles(Napi::Env env, Napi::Object exports) {
  InstallGuard();
  napi_add_env_cleanup_hook(env, UnmapAll, nullptr);
  exports.Set("map", Napi::Function::New(env, Map));
  exports.Set("unmap", Napi::Function::New(env, Unmap));
  exports.Set("lock", Napi::Function::New(env, Lock));
  exports.Set("lockByte", Napi::Function::New(env, LockByte));
  exports.Set("unlockByte", Napi::Function::New(env, UnlockByte));
  exports.Set("punch", Napi::Function::New(env, Punch));
  exports.Set("syncFileSystem", Napi::Function::New(env, SyncFileSystem));
  exports.Set("spreadDirectories", Napi::Function::New(env, SpreadDirectories));
  exports.Set("trimMemory", Napi::Function::New(env, TrimMemory));
}

} // namespace crfs
