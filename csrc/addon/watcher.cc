// SPDX-License-Identifier: GPL-3.0-or-later

// Descriptors on the event loop.

#include "addon/addon.h"

#include <unistd.h>
#include <uv.h>

namespace crfs {

namespace {

// Watcher(fd, callback): calls back on the event loop whenever the descriptor is readable or hung up, until close(),
// which also closes the descriptor. Between pause() and resume() it does not.
class Watcher : public Napi::ObjectWrap<Watcher> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Watcher",
                       {InstanceMethod("close", &Watcher::Close), InstanceMethod("pause", &Watcher::Pause),
                        InstanceMethod("resume", &Watcher::Resume)});
  }

  explicit Watcher(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Watcher>(info), context_(info.Env(), "crfs") {
    fd_ = info[0].As<Napi::Number>().Int32Value();
    callback_ = Napi::Persistent(info[1].As<Napi::Function>());
    uv_loop_t *loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    poll_ = new uv_poll_t;
    poll_->data = this;
    uv_poll_init(loop, poll_, fd_);
    Start();
    Ref(); // the event loop holds it until close()
  }

private:
  static void OnEvent(uv_poll_t *poll, int, int) {
    Watcher *self = static_cast<Watcher *>(poll->data);
    Napi::HandleScope scope(self->Env());
    self->callback_.MakeCallback(self->Value(), {}, self->context_);
  }

  void Start() {
    uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT, OnEvent);
  }

  void Pause(const Napi::CallbackInfo &) {
    if (poll_ != nullptr)
      uv_poll_stop(poll_);
  }

  void Resume(const Napi::CallbackInfo &) {
    if (poll_ != nullptr)
      Start();
  }

  void Close(const Napi::CallbackInfo &) {
    if (poll_ == nullptr)
      return;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t *>(poll_), [](uv_handle_t *h) { delete reinterpret_cast<uv_poll_t *>(h); });
    poll_ = nullptr;
    ::close(fd_);
    callback_.Reset();
    Unref();
  }

  Napi::AsyncContext context_;
  Napi::FunctionReference callback_;
  uv_poll_t *poll_ = nullptr;
  int fd_ = -1;
};

} // namespace

void AddWatcher(Napi::Env env, Napi::Object exports) {
  exports.Set("Watcher", Watcher::Define(env));
}

} // namespace crfs
