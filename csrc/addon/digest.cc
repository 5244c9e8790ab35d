// SPDX-License-Identifier: GPL-3.0-or-later

// sha256 of many things one after the other: of node:crypto, each would be an object of its own, to be collected.

#include "indexer/digest.h"
#include "addon/addon.h"

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
    static const char digits[] = "0123456789abcdef";
    char hex[2 * sizeof digest];
    for (size_t i = 0; i < sizeof digest; i++) {
      hex[2 * i] = digits[digest[i] >> 4];
      hex[2 * i + 1] = digits[digest[i] & 0xf];
    }
    return Napi::String::New(info.Env(), hex, sizeof hex);
  }

  Sha256 sha256_;
};

} // namespace

void AddDigest(Napi::Env env, Napi::Object exports) {
  exports.Set("Sha256", Hasher::Define(env));
}

} // namespace crfs
