// SPDX-License-Identifier: GPL-3.0-or-later

// Decoders of compressed streams, for JavaScript: each step runs in a thread of libuv's pool, or at once.

#include "addon/addon.h"
#include "addon/codec.h"

#include <algorithm>

namespace crfs {

namespace {

// A step over the bytes of two arrays, and how far it got.
class Span {
public:
  Span(Napi::Uint8Array input, Napi::Uint8Array output)
      : step{input.Data(), input.ByteLength(), output.Data(), output.ByteLength()}, in_(step.in_left),
        out_(step.out_left) {}

  // [bytes used, bytes made, whether the stream may end here]
  Napi::Array Result(Napi::Env env, const Codec &codec) const {
    Napi::Array result = Napi::Array::New(env, 3);
    result[0u] = Napi::Number::New(env, static_cast<double>(in_ - step.in_left));
    result[1u] = Napi::Number::New(env, static_cast<double>(out_ - step.out_left));
    result[2u] = Napi::Boolean::New(env, codec.Whole());
    return result;
  }

  Step step;

private:
  size_t in_, out_; // bytes at the start
};

class StepWorker : public Napi::AsyncWorker {
public:
  StepWorker(Napi::Env env, Napi::Value decoder, Codec &codec, Napi::Uint8Array input, Napi::Uint8Array output)
      : Napi::AsyncWorker(env), deferred_(env), codec_(codec), span_(input, output) {
    Napi::Array held = Napi::Array::New(env);
    held[0u] = decoder, held[1u] = input, held[2u] = output;
    held_ = Napi::Persistent<Napi::Object>(held);
  }

  Napi::Promise Promise() const {
    return deferred_.Promise();
  }
  void Execute() override {
    const char *fault = codec_.Decode(span_.step);
    if (fault != nullptr)
      SetError(fault);
  }
  void OnOK() override {
    deferred_.Resolve(span_.Result(Env(), codec_));
  }
  void OnError(const Napi::Error &error) override {
    deferred_.Reject(error.Value());
  }

private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_; // what is in use
  Codec &codec_;
  Span span_;
};

// Decoder(form, anyWindow): 'gzip' or 'zstd'; frames of the latter with windows of more than 128 MiB only if asked.
// Decoder('restart', bit, window): of gzip, from a restart point on.
class Decoder : public Napi::ObjectWrap<Decoder> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Decoder",
                       {InstanceMethod("decode", &Decoder::Decode), InstanceMethod("decodeNow", &Decoder::DecodeNow),
                        InstanceMethod("close", &Decoder::Close)});
  }

  explicit Decoder(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Decoder>(info) {
    std::string form = info[0].As<Napi::String>().Utf8Value();
    codec_ = form == "zstd"      ? NewUnzstd(info[1].ToBoolean())
             : form == "restart" ? At(info[1].As<Napi::Number>(), info[2].As<Napi::Uint8Array>())
                                 : NewGunzip();
    if (codec_ == nullptr)
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
  }

private:
  static std::unique_ptr<Codec> At(Napi::Number bit, Napi::Uint8Array window) {
    return NewGunzipAt({bit.Uint32Value() & 7, window.Data(), std::min(window.ByteLength(), kWindowSize)});
  }

  // decode(input, output) -> promise of [bytes used, bytes made, whether the stream may end here].
  Napi::Value Decode(const Napi::CallbackInfo &info) {
    auto *worker = new StepWorker(info.Env(), info.This(), *codec_, info[0].As<Napi::Uint8Array>(),
                                  info[1].As<Napi::Uint8Array>());
    Napi::Promise promise = worker->Promise();
    worker->Queue();
    return promise;
  }

  // decodeNow(input, output) -> the same, at once.
  Napi::Value DecodeNow(const Napi::CallbackInfo &info) {
    Span span(info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Uint8Array>());
    const char *fault = codec_->Decode(span.step);
    if (fault != nullptr) {
      Napi::Error::New(info.Env(), fault).ThrowAsJavaScriptException();
      return info.Env().Undefined();
    }
    return span.Result(info.Env(), *codec_);
  }

  void Close(const Napi::CallbackInfo &) {
    codec_.reset();
  }

  std::unique_ptr<Codec> codec_;
};

} // namespace

void AddDecoder(Napi::Env env, Napi::Object exports) {
  exports.Set("Decoder", Decoder::Define(env));
}

} // namespace crfs
