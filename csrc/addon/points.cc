// SPDX-License-Identifier: GPL-3.0-or-later

// The points of a gzip stream at which decoding can begin, found in one pass over it.

#include "addon/addon.h"
#include "addon/gunzip.h"

namespace crfs {

namespace {

class PointGunzip : public Napi::ObjectWrap<PointGunzip> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "PointGunzip",
                       {InstanceMethod("step", &PointGunzip::DoStep), InstanceMethod("window", &PointGunzip::Window),
                        InstanceMethod("close", &PointGunzip::Close)});
  }

  // PointGunzip(span)
  explicit PointGunzip(const Napi::CallbackInfo &info)
      : Napi::ObjectWrap<PointGunzip>(info), gunzip_(std::make_unique<Gunzip>()) {
    gunzip_->StopAtPoints(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
    if (!gunzip_->Begin())
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
  }

private:
  // step(input, output) -> [bytes used, bytes made, whether the stream may end here, the point's bit or -1]
  Napi::Value DoStep(const Napi::CallbackInfo &info) {
    Napi::Uint8Array input = info[0].As<Napi::Uint8Array>(), output = info[1].As<Napi::Uint8Array>();
    Step step{input.Data(), input.ByteLength(), output.Data(), output.ByteLength()};
    const char *fault = gunzip_->Decode(step);
    if (fault != nullptr) {
      Napi::Error::New(info.Env(), fault).ThrowAsJavaScriptException();
      return info.Env().Undefined();
    }
    Napi::Array result = Napi::Array::New(info.Env(), 4);
    result[0u] = Napi::Number::New(info.Env(), static_cast<double>(input.ByteLength() - step.in_left));
    result[1u] = Napi::Number::New(info.Env(), static_cast<double>(output.ByteLength() - step.out_left));
    result[2u] = Napi::Boolean::New(info.Env(), gunzip_->Whole());
    result[3u] = Napi::Number::New(info.Env(), gunzip_->PointBit());
    return result;
  }

  // window(output) -> bytes, copied into `output`, which has room for all of a window.
  Napi::Value Window(const Napi::CallbackInfo &info) {
    Napi::Uint8Array output = info[0].As<Napi::Uint8Array>();
    size_t size = output.ByteLength() < kWindowSize ? 0 : gunzip_->CopyWindow(output.Data());
    return Napi::Number::New(info.Env(), static_cast<double>(size));
  }

  void Close(const Napi::CallbackInfo &) {
    gunzip_.reset();
  }

  std::unique_ptr<Gunzip> gunzip_;
};

} // namespace

void AddPoints(Napi::Env env, Napi::Object exports) {
  exports.Set("PointGunzip", PointGunzip::Define(env));
}

} // namespace crfs
