// SPDX-License-Identifier: GPL-3.0-or-later

// The rings that the workers of this process consume. One set for the process: the main thread attaches and detaches,
// workers take and complete.

#include "addon/addon.h"
#include "addon/doorbell.h"
#include "shared/ring.h"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace crfs {

namespace {

struct Ring {
  crfs_ring *shared;
  uint32_t tail = 0;

  explicit Ring(crfs_ring *mapping) : shared(mapping) {}
  ~Ring() {
    munmap(shared, sizeof *shared);
  }
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;
};

// The daemon's own requests, in falling priority behind those of the mounts.
enum OwnRing : uint32_t {
  kReadahead = 0, // neighbours of what was just read
  kBackground = 1,
  kOwnRings = 2,
};

struct Rings {
  std::shared_mutex mutex;
  std::map<uint32_t, std::shared_ptr<Ring>> by_number; // own rings first, then mounts; numbers are not used again
  uint32_t next = kOwnRings;
  uint32_t turn = 0; // whose mount is asked first

  Rings() {
    for (uint32_t number = 0; number < kOwnRings; number++) {
      void *memory = mmap(nullptr, sizeof(crfs_ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED)
        abort();
      crfs_ring_init(static_cast<crfs_ring *>(memory));
      by_number[number] = std::make_shared<Ring>(static_cast<crfs_ring *>(memory));
    }
  }

  std::shared_ptr<Ring> Find(uint32_t number) {
    std::shared_lock lock(mutex);
    auto found = by_number.find(number);
    return found == by_number.end() ? nullptr : found->second;
  }
};

Rings &All() {
  static Rings *rings = new Rings; // never destroyed: threads may outlive the end of main
  return *rings;
}

uint32_t Uint(const Napi::CallbackInfo &info, size_t i) {
  return info[i].As<Napi::Number>().Uint32Value();
}

// ringAttach(fd) -> number of the ring. Refuses (EINVAL) whatever could change its size, or is no ring.
Napi::Value RingAttach(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  int fd = info[0].As<Napi::Number>().Int32Value();
  struct stat st;
  int seals = fcntl(fd, F_GET_SEALS);
  constexpr int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
  if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 || st.st_size != sizeof(crfs_ring))
    return ThrowErrno(env, "ringAttach", EINVAL);
  void *map = mmap(nullptr, sizeof(crfs_ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return ThrowErrno(env, "mmap", errno);
  auto ring = std::make_shared<Ring>(static_cast<crfs_ring *>(map));
  const crfs_ring *shared = ring->shared;
  if (shared->magic != CRFS_RING_MAGIC || shared->version != CRFS_RING_VERSION || shared->size != CRFS_RING_SIZE)
    return ThrowErrno(env, "ringAttach", EINVAL);
  Rings &rings = All();
  std::unique_lock lock(rings.mutex);
  uint32_t number = rings.next++;
  rings.by_number[number] = std::move(ring);
  return Napi::Number::New(env, number);
}

// ringDetach(number): later completions of its requests go nowhere.
Napi::Value RingDetach(const Napi::CallbackInfo &info) {
  Rings &rings = All();
  std::unique_lock lock(rings.mutex);
  rings.by_number.erase(Uint(info, 0));
  return info.Env().Undefined();
}

// ringStatus(number) -> counters of the ring, or null.
Napi::Value RingStatus(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  if (ring == nullptr)
    return env.Null();
  Napi::Object status = Napi::Object::New(env);
  auto counter = [&](const char *name, const uint64_t *word) {
    status.Set(name, Napi::Number::New(env, static_cast<double>(__atomic_load_n(word, __ATOMIC_RELAXED))));
  };
  uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
  status.Set("depth", Napi::Number::New(env, crfs_ring_depth(ring->shared, tail)));
  counter("hits", &ring->shared->hits);
  counter("hitBytes", &ring->shared->hit_bytes);
  counter("misses", &ring->shared->misses);
  counter("errors", &ring->shared->errors);
  counter("waitedNs", &ring->shared->waited_ns);
  counter("lazyOpens", &ring->shared->lazy_opens);
  auto word = [&](const char *name, const uint32_t *value) {
    status.Set(name, Napi::Number::New(env, __atomic_load_n(value, __ATOMIC_RELAXED)));
  };
  word("lazy", &ring->shared->lazy);
  word("lazyError", &ring->shared->lazy_error);
  word("unseen", &ring->shared->unseen);
  return status;
}

// ringTrace(ring, on) -> the position of the open that is noted next, or null.
Napi::Value RingTrace(const Napi::CallbackInfo &info) {
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  if (ring == nullptr)
    return info.Env().Null();
  crfs_trace_switch(&ring->shared->trace, info[1].As<Napi::Boolean>().Value() ? 1 : 0);
  return Napi::Number::New(info.Env(), crfs_trace_head(&ring->shared->trace));
}

// ringOpenings(ring, position, out) -> null, or [next position, opens missed, opens in `out`]. `out` is filled with
// five numbers for each: layer, inode, errno, nanoseconds of CLOCK_MONOTONIC at its end, and those that it waited.
Napi::Value RingOpenings(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  if (ring == nullptr)
    return env.Null();
  uint32_t position = Uint(info, 1), missed = 0, count = 0;
  Napi::Float64Array out = info[2].As<Napi::Float64Array>();
  crfs_opening opening;
  while ((count + 1) * 5 <= out.ElementLength() &&
         crfs_trace_read(&ring->shared->trace, &position, &opening, &missed) != 0) {
    double *to = out.Data() + count++ * 5;
    to[0] = opening.layer;
    to[1] = opening.inode;
    to[2] = opening.error;
    to[3] = static_cast<double>(opening.at_ns);
    to[4] = static_cast<double>(opening.waited_ns);
  }
  Napi::Array result = Napi::Array::New(env, 3);
  result[0u] = Napi::Number::New(env, position);
  result[1u] = Napi::Number::New(env, missed);
  result[2u] = Napi::Number::New(env, count);
  return result;
}

bool TakeFrom(uint32_t number, Ring &ring, uint32_t *out) {
  crfs_request request;
  uint32_t position;
  if (crfs_ring_claim(ring.shared, &ring.tail, &position, &request) == nullptr)
    return false;
  const uint32_t words[] = {
      number, position, request.layer, request.inode, request.chunk_first, request.chunk_count, request.flags};
  std::copy(std::begin(words), std::end(words), out);
  return true;
}

// take(out, demandOnly) -> whether a request was claimed; out: [ring, position, layer, inode, chunkFirst, chunkCount,
// flags].
// Mounts come first and in turn, then the daemon's own rings unless demandOnly.
Napi::Value Take(const Napi::CallbackInfo &info) {
  uint32_t *out = info[0].As<Napi::Uint32Array>().Data();
  bool demand_only = info[1].As<Napi::Boolean>().Value();
  Rings &rings = All();
  std::shared_lock lock(rings.mutex);
  auto first_mount = rings.by_number.lower_bound(kOwnRings);
  auto start = rings.by_number.lower_bound(__atomic_load_n(&rings.turn, __ATOMIC_RELAXED));
  if (start == rings.by_number.end() || start->first < kOwnRings)
    start = first_mount;
  bool taken = false;
  auto it = start;
  for (size_t i = 0, mounts = rings.by_number.size() - kOwnRings; i < mounts && !taken; i++) {
    taken = TakeFrom(it->first, *it->second, out);
    if (++it == rings.by_number.end())
      it = first_mount;
  }
  if (taken)
    __atomic_store_n(&rings.turn, out[0] + 1, __ATOMIC_RELAXED);
  for (uint32_t number = 0; number < kOwnRings && !taken && !demand_only; number++)
    taken = TakeFrom(number, *rings.by_number[number], out);
  return Napi::Boolean::New(info.Env(), taken);
}

// hasDemand() -> whether a request of a mount is there to be taken.
Napi::Value HasDemand(const Napi::CallbackInfo &info) {
  Rings &rings = All();
  std::shared_lock lock(rings.mutex);
  bool found = false;
  for (auto it = rings.by_number.lower_bound(kOwnRings); it != rings.by_number.end() && !found; ++it)
    found = crfs_ring_depth(it->second->shared, __atomic_load_n(&it->second->tail, __ATOMIC_RELAXED)) != 0;
  return Napi::Boolean::New(info.Env(), found);
}

// progress(ring, position): whoever waits for a taken request is told that there is progress.
Napi::Value Progress(const Napi::CallbackInfo &info) {
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  if (ring != nullptr)
    crfs_ring_progress(ring->shared, Uint(info, 1));
  return info.Env().Undefined();
}

// complete(ring, position, errno): the result of a taken request. Only the first one counts.
Napi::Value Complete(const Napi::CallbackInfo &info) {
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  if (ring != nullptr)
    crfs_ring_complete(ring->shared, Uint(info, 1), Uint(info, 2));
  return info.Env().Undefined();
}

// submit(ownRing, layer, inode, chunkFirst, chunkCount) -> false if there is no room. Nobody waits for the result.
Napi::Value Submit(const Napi::CallbackInfo &info) {
  std::shared_ptr<Ring> ring = All().Find(Uint(info, 0));
  uint32_t position;
  crfs_request *request = ring == nullptr ? nullptr : crfs_ring_reserve(ring->shared, &position, 0);
  if (request == nullptr)
    return Napi::Boolean::New(info.Env(), false);
  request->layer = Uint(info, 1);
  request->inode = Uint(info, 2);
  request->chunk_first = Uint(info, 3);
  request->chunk_count = Uint(info, 4);
  request->flags = 0;
  crfs_ring_abandon(request, position);
  crfs_ring_publish(ring->shared, position, Doorbell());
  return Napi::Boolean::New(info.Env(), true);
}

} // namespace

void AddRings(Napi::Env env, Napi::Object exports) {
  Napi::Object own = Napi::Object::New(env);
  own.Set("readahead", Napi::Number::New(env, kReadahead));
  own.Set("background", Napi::Number::New(env, kBackground));
  exports.Set("ownRings", own);
  exports.Set("ringAttach", Napi::Function::New(env, RingAttach));
  exports.Set("ringDetach", Napi::Function::New(env, RingDetach));
  exports.Set("ringStatus", Napi::Function::New(env, RingStatus));
  exports.Set("ringTrace", Napi::Function::New(env, RingTrace));
  exports.Set("ringOpenings", Napi::Function::New(env, RingOpenings));
  exports.Set("take", Napi::Function::New(env, Take));
  exports.Set("hasDemand", Napi::Function::New(env, HasDemand));
  exports.Set("progress", Napi::Function::New(env, Progress));
  exports.Set("complete", Napi::Function::New(env, Complete));
  exports.Set("submit", Napi::Function::New(env, Submit));
}

} // namespace crfs
