// SPDX-License-Identifier: GPL-3.0-or-later

// libdeflate, for reading layers.

#include "addon/addon.h"
#include "addon/codec.h"
#include "addon/guard.h"

#include <cerrno>
#include <libdeflate.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace crfs {

namespace {

// What is returned instead of a number of bytes.
constexpr int kRoomTooSmall = -1;
constexpr int kBadData = -2;
constexpr int kMappingFailed = -3;
constexpr int kFileCut = -4;

// A decompressor may serve one thread at a time.
libdeflate_decompressor *Decompressor() {
  struct Deleter {
    void operator()(libdeflate_decompressor *d) const {
      libdeflate_free_decompressor(d);
    }
  };
  static thread_local std::unique_ptr<libdeflate_decompressor, Deleter> decompressor(libdeflate_alloc_decompressor());
  return decompressor.get();
}

// Inflates members until the input ends or, at the end of a member, there is no room. Returns 0, or what is wrong with
// the member that it has got to.
int InflateMembers(Step &step) {
  do {
    size_t used = 0, made = 0;
    libdeflate_result result =
        libdeflate_gzip_decompress_ex(Decompressor(), step.in, step.in_left, step.out, step.out_left, &used, &made);
    if (result != LIBDEFLATE_SUCCESS)
      return result == LIBDEFLATE_INSUFFICIENT_SPACE ? kRoomTooSmall : kBadData;
    step.in += used, step.in_left -= used;
    step.out += made, step.out_left -= made;
  } while (step.in_left > 0 && step.out_left > 0);
  return 0;
}

// inflate(input, output) -> bytes written: inflates the gzip members of `input` into `output`, until the input ends or,
// at the end of a member, the output is full. Negative: see above.
Napi::Value Inflate(const Napi::CallbackInfo &info) {
  Napi::Uint8Array input = info[0].As<Napi::Uint8Array>();
  Napi::Uint8Array output = info[1].As<Napi::Uint8Array>();
  Step step{input.Data(), input.ByteLength(), output.Data(), output.ByteLength()};
  int failure = InflateMembers(step);
  return Napi::Number::New(info.Env(),
                           failure != 0 ? failure : static_cast<double>(output.ByteLength() - step.out_left));
}

// A part of a file, mapped to be read.
class Part {
public:
  Part(int fd, size_t offset, size_t length) : fd_(fd), end_(offset + length) {
    size_t in_page = offset % kAlignment;
    size_ = in_page + length;
    map_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset - in_page));
    if (map_ == MAP_FAILED)
      return;
    madvise(map_, size_, MADV_WILLNEED);
    bytes = static_cast<const uint8_t *>(map_) + in_page;
  }
  ~Part() {
    if (bytes != nullptr)
      munmap(map_, size_);
  }
  Part(const Part &) = delete;
  Part &operator=(const Part &) = delete;

  // Whether an address is one of it.
  bool Has(const void *address) const {
    auto at = reinterpret_cast<uintptr_t>(address), start = reinterpret_cast<uintptr_t>(map_);
    return at >= start && at - start < size_;
  }
  // Whether the file ends before it does.
  bool IsCut() const {
    struct stat st;
    return fstat(fd_, &st) == 0 && static_cast<size_t>(st.st_size) < end_;
  }

  const uint8_t *bytes = nullptr; // null: it could not be mapped, for `errno`

private:
  static constexpr size_t kAlignment = 65536; // a multiple of the size of a page, on every machine
  int fd_;
  size_t end_, size_;
  void *map_;
};

// Inflates members until there is no input left, or no room, be it in the middle of one: where libdeflate cannot stop.
int InflateAll(Step &step, Codec &stopping) {
  int failure = InflateMembers(step);
  if (failure != kRoomTooSmall)
    return failure;
  return stopping.Decode(step) == nullptr ? 0 : kBadData;
}

// inflateFile(fd, offset, length, output) -> bytes written: inflates the gzip members in a part of a file into
// `output`, the mapping of another one, whose disk may be full, until the input ends or the output is full. Negative:
// see above.
Napi::Value InflateFile(const Napi::CallbackInfo &info) {
  auto number = [&](size_t i) { return static_cast<size_t>(info[i].As<Napi::Number>().Int64Value()); };
  Napi::Uint8Array output = info[3].As<Napi::Uint8Array>();
  Part part(info[0].As<Napi::Number>().Int32Value(), number(1), number(2));
  if (part.bytes == nullptr)
    return ThrowErrno(info.Env(), "mmap", errno);
  std::unique_ptr<Codec> stopping = NewGunzip();
  if (stopping == nullptr)
    return ThrowErrno(info.Env(), "inflate", ENOMEM);
  Step step{part.bytes, number(2), output.Data(), output.ByteLength()};
  int failure = 0;
  if (!GuardMapping([&] { failure = InflateAll(step, *stopping); })) {
    if (!part.Has(guard_fault))
      failure = kMappingFailed;
    else if (!part.IsCut())
      return ThrowErrno(info.Env(), "read", EIO);
    else
      failure = kFileCut;
  } else if (failure == kBadData && part.IsCut()) { // the rest of its last page reads as zeros
    failure = kFileCut;
  }
  return Napi::Number::New(info.Env(),
                           failure != 0 ? failure : static_cast<double>(output.ByteLength() - step.out_left));
}

} // namespace

void AddInflate(Napi::Env env, Napi::Object exports) {
  exports.Set("inflate", Napi::Function::New(env, Inflate));
  exports.Set("inflateFile", Napi::Function::New(env, InflateFile));
}

} // namespace crfs
