// SPDX-License-Identifier: GPL-3.0-or-later

// Decoders of compressed streams, for JavaScript: each step runs in a thread of libuv's pool.

#include "addon/addon.h"
#include "addon/codec.h"

namespace crfs {

namespace {

class StepWorker : public Napi::AsyncWorker {
public:
  StepWorker(Napi::Env env, Napi::Value decoder, Codec &codec, Napi::Uint8Array input, Napi::Uint8Array output)
      : Napi::AsyncWorker(env), deferred_(env),
        codec_(codec), step_{input.Data(), input.ByteLength(), output.Data(), output.ByteLength()}, in_(step_.in_left),
        out_(step_.out_left) {
    Napi::Array held = Napi::Array::New(env);
    held[0u] = decoder, held[1u] = input, held[2u] = output;
    held_ = Napi::Persistent<Napi::Object>(held);
  }

  Napi::Promise Promise() const {
    return deferred_.Promise();
  }
  void Execute() override {
    const char *fault = codec_.Decode(step_);
    if (fault != nullptr)
      SetError(fault);
  }
  void OnOK() override {
    Napi::Array result = Napi::Array::New(Env(), 3);
    result[0u] = Napi::Number::New(Env(), static_cast<double>(in_ - step_.in_left));
    result[1u] = Napi::Number::New(Env(), static_cast<double>(out_ - step_.out_left));
    result[2u] = Napi::Boolean::New(Env(), codec_.Whole());
    deferred_.Resolve(result);
  }
  void OnError(const Napi::Error &error) override {
    deferred_.Reject(error.Value());
  }

private:
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_; // what is in use
  Codec &codec_;
  Step step_;
  size_t in_, out_; // bytes at the start
};

// Decoder(form): 'gzip' or 'zstd'.
class Decoder : public Napi::ObjectWrap<Decoder> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Decoder",
                       {InstanceMethod("decode", &Decoder::Decode), InstanceMethod("close", &Decoder::Close)});
  }

  explicit Decoder(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Decoder>(info) {
    bool is_zstd = info[0].As<Napi::String>().Utf8Value() == "zstd";
    codec_ = is_zstd ? NewUnzstd() : NewGunzip();
    if (codec_ == nullptr)
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
  }

private:
  // decode(input, output) -> promise of [bytes used, bytes made, whether the stream may end here].
  Napi::Value Decode(const Napi::CallbackInfo &info) {
    auto *worker = new StepWorker(info.Env(), info.This(), *codec_, info[0].As<Napi::Uint8Array>(),
                                  info[1].As<Napi::Uint8Array>());
    Napi::Promise promise = worker->Promise();
    worker->Queue();
    return promise;
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
