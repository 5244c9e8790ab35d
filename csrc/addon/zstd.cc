// SPDX-License-Identifier: GPL-3.0-or-later

// libzstd, for writing layers.

#include "addon/addon.h"

#include <memory>
#include <zstd.h>

namespace crfs {

namespace {

// A compressor serves one thread at a time, and making one costs more than compressing a small file.
ZSTD_CCtx *Compressor() {
  struct Deleter {
    void operator()(ZSTD_CCtx *context) const {
      ZSTD_freeCCtx(context);
    }
  };
  static thread_local std::unique_ptr<ZSTD_CCtx, Deleter> compressor(ZSTD_createCCtx());
  return compressor.get();
}

// zstdBound(length) -> bytes that one frame of `length` bytes never exceeds.
Napi::Value ZstdBound(const Napi::CallbackInfo &info) {
  size_t length = static_cast<size_t>(info[0].As<Napi::Number>().Int64Value());
  return Napi::Number::New(info.Env(), static_cast<double>(ZSTD_compressBound(length)));
}

// zstd(input, output, level) -> bytes written: one frame, with the length and the checksum of its content. 0: `output`
// is too small, or there is no memory.
Napi::Value Zstd(const Napi::CallbackInfo &info) {
  Napi::Uint8Array input = info[0].As<Napi::Uint8Array>();
  Napi::Uint8Array output = info[1].As<Napi::Uint8Array>();
  int level = info[2].As<Napi::Number>().Int32Value();
  ZSTD_CCtx *compressor = Compressor();
  size_t written = 0;
  if (compressor != nullptr && !ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, level)) &&
      !ZSTD_isError(ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 1)))
    written = ZSTD_compress2(compressor, output.Data(), output.ByteLength(), input.Data(), input.ByteLength());
  return Napi::Number::New(info.Env(), ZSTD_isError(written) ? 0.0 : static_cast<double>(written));
}

} // namespace

void AddZstd(Napi::Env env, Napi::Object exports) {
  exports.Set("zstd", Napi::Function::New(env, Zstd));
  exports.Set("zstdBound", Napi::Function::New(env, ZstdBound));
}

} // namespace crfs
