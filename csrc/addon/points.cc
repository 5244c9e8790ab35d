// SPDX-License-Identifier: GPL-3.0-or-later

// The points of a compressed stream at which decoding can begin, found in one pass over it, in threads of libuv's pool.

#include "addon/addon.h"
#include "addon/codec.h"

#include <array>
#include <vector>

namespace crfs {

namespace {

// A restart point that a step came to.
struct FoundPoint {
  size_t used, made; // of the step's input and output before it
  unsigned bit;      // of the last byte used, at which it is; 0: it is at the byte that follows
  size_t window_size;
  std::array<uint8_t, kWindowSize> window;
};

class PointStep : public Napi::AsyncWorker {
public:
  PointStep(Napi::Env env, std::shared_ptr<Codec> codec, Napi::Uint8Array input, Napi::Uint8Array output)
      : Napi::AsyncWorker(env), deferred_(env), codec_(std::move(codec)), in_(input.ByteLength()),
        out_(output.ByteLength()), step_{input.Data(), in_, output.Data(), out_} {
    Napi::Array held = Napi::Array::New(env);
    held[0u] = input, held[1u] = output;
    held_ = Napi::Persistent<Napi::Object>(held);
  }

  Napi::Promise Promise() const {
    return deferred_.Promise();
  }
  void Execute() override {
    do {
      const char *fault = codec_->Decode(step_);
      if (fault != nullptr)
        return SetError(fault);
      if (codec_->PointBit() >= 0)
        Note(static_cast<unsigned>(codec_->PointBit()));
    } while (codec_->PointBit() >= 0);
    whole_ = codec_->Whole();
  }
  void OnOK() override {
    Napi::Env env = Env();
    Napi::Array points = Napi::Array::New(env, points_.size());
    for (uint32_t i = 0; i < points_.size(); i++)
      points[i] = Described(env, points_[i]);
    Napi::Array result = Napi::Array::New(env, 4);
    result[0u] = Napi::Number::New(env, static_cast<double>(in_ - step_.in_left));
    result[1u] = Napi::Number::New(env, static_cast<double>(out_ - step_.out_left));
    result[2u] = Napi::Boolean::New(env, whole_);
    result[3u] = points;
    deferred_.Resolve(result);
  }
  void OnError(const Napi::Error &error) override {
    deferred_.Reject(error.Value());
  }

private:
  void Note(unsigned bit) {
    FoundPoint &point = points_.emplace_back();
    point.used = in_ - step_.in_left;
    point.made = out_ - step_.out_left;
    point.bit = bit;
    point.window_size = codec_->CopyWindow(point.window.data());
  }

  static Napi::Object Described(Napi::Env env, const FoundPoint &point) {
    Napi::Object described = Napi::Object::New(env);
    described.Set("used", static_cast<double>(point.used));
    described.Set("made", static_cast<double>(point.made));
    described.Set("bit", point.bit);
    described.Set("window", Napi::Buffer<uint8_t>::Copy(env, point.window.data(), point.window_size));
    return described;
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference held_; // what is in use
  std::shared_ptr<Codec> codec_;
  size_t in_, out_; // bytes at the start
  Step step_;
  bool whole_ = false;
  std::vector<FoundPoint> points_;
};

class PointDecoder : public Napi::ObjectWrap<PointDecoder> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "PointDecoder",
                       {InstanceMethod("step", &PointDecoder::DoStep), InstanceMethod("close", &PointDecoder::Close)});
  }

  // PointDecoder(form, span): 'gzip' or 'zstd'
  explicit PointDecoder(const Napi::CallbackInfo &info) : Napi::ObjectWrap<PointDecoder>(info) {
    codec_ = info[0].As<Napi::String>().Utf8Value() == "zstd" ? NewUnzstd(false) : NewGunzip();
    if (codec_ == nullptr)
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
    else
      codec_->StopAtPoints(static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  }

private:
  // step(input, output) -> promise of [bytes used, bytes made, whether the stream may end here, points]
  Napi::Value DoStep(const Napi::CallbackInfo &info) {
    auto *step = new PointStep(info.Env(), codec_, info[0].As<Napi::Uint8Array>(), info[1].As<Napi::Uint8Array>());
    Napi::Promise promise = step->Promise();
    step->Queue();
    return promise;
  }

  // A step under way keeps what it uses.
  void Close(const Napi::CallbackInfo &) {
    codec_.reset();
  }

  std::shared_ptr<Codec> codec_;
};

} // namespace

void AddPoints(Napi::Env env, Napi::Object exports) {
  exports.Set("PointDecoder", PointDecoder::Define(env));
}

} // namespace crfs
