// SPDX-License-Identifier: GPL-3.0-or-later

// libdeflate, for writing layers.

#include "addon/addon.h"

#include <array>
#include <libdeflate.h>
#include <memory>

namespace crfs {

namespace {

constexpr int kMaxLevel = 12;

// A compressor serves one thread at a time, and making one costs more than deflating a small file.
libdeflate_compressor *Compressor(int level) {
  struct Deleter {
    void operator()(libdeflate_compressor *c) const {
      libdeflate_free_compressor(c);
    }
  };
  static thread_local std::array<std::unique_ptr<libdeflate_compressor, Deleter>, kMaxLevel + 1> compressors;
  std::unique_ptr<libdeflate_compressor, Deleter> &compressor = compressors[level];
  if (compressor == nullptr)
    compressor.reset(libdeflate_alloc_compressor(level));
  return compressor.get();
}

// deflateBound(length) -> bytes that one gzip member of `length` bytes never exceeds.
Napi::Value DeflateBound(const Napi::CallbackInfo &info) {
  size_t length = static_cast<size_t>(info[0].As<Napi::Number>().Int64Value());
  return Napi::Number::New(info.Env(), static_cast<double>(libdeflate_gzip_compress_bound(nullptr, length)));
}

// deflate(input, output, level) -> bytes written: one gzip member, without a time or a name in its header. 0: `output`
// is too small, or there is no memory, or no such level.
Napi::Value Deflate(const Napi::CallbackInfo &info) {
  Napi::Uint8Array input = info[0].As<Napi::Uint8Array>();
  Napi::Uint8Array output = info[1].As<Napi::Uint8Array>();
  int level = info[2].As<Napi::Number>().Int32Value();
  libdeflate_compressor *compressor = level >= 0 && level <= kMaxLevel ? Compressor(level) : nullptr;
  size_t written = 0;
  if (compressor != nullptr)
    written =
        libdeflate_gzip_compress(compressor, input.Data(), input.ByteLength(), output.Data(), output.ByteLength());
  return Napi::Number::New(info.Env(), static_cast<double>(written));
}

} // namespace

void AddDeflate(Napi::Env env, Napi::Object exports) {
  exports.Set("deflate", Napi::Function::New(env, Deflate));
  exports.Set("deflateBound", Napi::Function::New(env, DeflateBound));
}

} // namespace crfs
