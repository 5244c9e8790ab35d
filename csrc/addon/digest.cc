// SPDX-License-Identifier: GPL-3.0-or-later

// sha256 of many things one after the other: of node:crypto, each would be an object of its own, to be collected.

#include "addon/addon.h"
#include "addon/hex.h"

namespace crfs {

namespace {

class Hasher : public Napi::ObjectWrap<Hasher> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Sha256",
                       {InstanceMethod("update", &Hasher::Update), InstanceMethod("digest", &Hasher::Final)});
  }

  explicit Hasher(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Hasher>(info) {}

private:
  // update(bytes)
  void Update(const Napi::CallbackInfo &info) {
    Napi::Uint8Array bytes = info[0].As<Napi::Uint8Array>();
    sha256_.Update(bytes.Data(), bytes.ByteLength());
  }

  // digest() -> hexadecimal digits
  Napi::Value Final(const Napi::CallbackInfo &info) {
    Digest digest;
    if (!sha256_.Final(digest))
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
    sha256_.Restart();
    return Hex(info.Env(), digest);
  }

  Sha256 sha256_;
};

} // namespace

void AddDigest(Napi::Env env, Napi::Object exports) {
  exports.Set("Sha256", Hasher::Define(env));
}

} // namespace crfs
