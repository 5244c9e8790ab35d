// SPDX-License-Identifier: GPL-3.0-or-later

// libdeflate, for reading layers.

#include "addon/addon.h"
#include "addon/guard.h"

#include <libdeflate.h>

namespace crfs {

namespace {

// What `inflate` returns instead of a number of bytes.
constexpr int kRoomTooSmall = -1;
constexpr int kBadData = -2;
constexpr int kMappingFailed = -3;

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

// inflate(input, output) -> bytes written: inflates the gzip members of `input` into `output`, until the input ends or,
// at the end of a member, the output is full. Negative: see above. `output` may be a mapping of a file, whose disk may
// be full.
Napi::Value Inflate(const Napi::CallbackInfo &info) {
  Napi::Uint8Array input = info[0].As<Napi::Uint8Array>();
  Napi::Uint8Array output = info[1].As<Napi::Uint8Array>();
  const uint8_t *in = input.Data();
  uint8_t *out = output.Data();
  size_t in_left = input.ByteLength(), out_left = output.ByteLength();
  int failure = 0;
  bool mapped = GuardMapping([&] {
    do {
      size_t used = 0, made = 0;
      libdeflate_result result =
          libdeflate_gzip_decompress_ex(Decompressor(), in, in_left, out, out_left, &used, &made);
      if (result != LIBDEFLATE_SUCCESS) {
        failure = result == LIBDEFLATE_INSUFFICIENT_SPACE ? kRoomTooSmall : kBadData;
        return;
      }
      in += used, in_left -= used;
      out += made, out_left -= made;
    } while (in_left > 0 && out_left > 0);
  });
  if (!mapped)
    failure = kMappingFailed;
  return Napi::Number::New(info.Env(), failure != 0 ? failure : static_cast<double>(output.ByteLength() - out_left));
}

} // namespace

void AddInflate(Napi::Env env, Napi::Object exports) {
  exports.Set("inflate", Napi::Function::New(env, Inflate));
}

} // namespace crfs
