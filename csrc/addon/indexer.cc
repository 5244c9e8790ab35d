// SPDX-License-Identifier: GPL-3.0-or-later

// Making indexes of layers, for JavaScript: in a thread of libuv's pool.

#include "indexer/indexer.h"
#include "addon/addon.h"
#include "addon/hex.h"

namespace crfs {

namespace {

class IndexWorker : public Napi::AsyncWorker {
public:
  IndexWorker(Napi::Env env, IndexRequest request)
      : Napi::AsyncWorker(env), deferred_(env), request_(std::move(request)) {}

  Napi::Promise Promise() const {
    return deferred_.Promise();
  }
  void Execute() override {
    is_made_ = MakeIndex(request_, summary_);
  }
  void OnOK() override {
    Napi::Env env = Env();
    if (!is_made_)
      return deferred_.Resolve(env.Null());
    Napi::Object summary = Napi::Object::New(env);
    summary.Set("tocDigest", Hex(env, summary_.toc_digest));
    summary.Set("inodes", summary_.inodes);
    summary.Set("files", summary_.files);
    summary.Set("contentSize", static_cast<double>(summary_.content_size));
    summary.Set("unverified", summary_.unverified);
    summary.Set("key", Hex(env, summary_.key));
    summary.Set("indexDigest", Hex(env, summary_.index_digest));
    deferred_.Resolve(summary);
  }

private:
  Napi::Promise::Deferred deferred_;
  const IndexRequest request_;
  bool is_made_ = false;
  IndexSummary summary_;
};

// makeIndex({fd, start, end, portable?, contentEnd, codec, expansion, memoryLimit, path, identity}) -> promise of a
// summary, or null. portable: {pointsEnd, windowsEnd}.
Napi::Value MakeIndexOf(const Napi::CallbackInfo &info) {
  Napi::Object from = info[0].As<Napi::Object>();
  auto number_in = [](const Napi::Object &object, const char *name) {
    return static_cast<uint64_t>(object.Get(name).As<Napi::Number>().Int64Value());
  };
  auto number = [&](const char *name) { return number_in(from, name); };
  auto text = [&](const char *name) { return from.Get(name).As<Napi::String>().Utf8Value(); };
  std::optional<PortableParts> portable;
  if (from.Has("portable")) {
    Napi::Object parts = from.Get("portable").As<Napi::Object>();
    portable = {number_in(parts, "pointsEnd"), number_in(parts, "windowsEnd")};
  }
  auto *worker =
      new IndexWorker(info.Env(), {static_cast<int>(number("fd")), number("start"), number("end"), portable,
                                   number("contentEnd"), static_cast<uint32_t>(number("codec")), number("expansion"),
                                   number("memoryLimit"), text("path"), text("identity")});
  Napi::Promise promise = worker->Promise();
  worker->Queue();
  return promise;
}

} // namespace

void AddIndexer(Napi::Env env, Napi::Object exports) {
  exports.Set("makeIndex", Napi::Function::New(env, MakeIndexOf));
}

} // namespace crfs
