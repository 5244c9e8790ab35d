// SPDX-License-Identifier: GPL-3.0-or-later

// Decodes a stream ahead of who reads it, and finds the points in it at which decoding can begin. A thread of libuv's
// pool goes on for as long as there is input, and room for what comes out: it waits for no JavaScript in between.

#include "addon/addon.h"
#include "addon/codec.h"
#include "addon/window-use.h"

#include <array>
#include <deque>
#include <mutex>
#include <vector>

namespace crfs {

namespace {

struct FoundPoint {
  uint64_t offset, out_offset; // of the byte of the stream that holds its first bit, and in what that decodes to
  unsigned bit;
  size_t window_size;
};
using Window = std::vector<uint8_t>;

// An array to decode, or one to be filled with what comes out, and the promise of that.
struct Piece {
  Piece(Napi::Env env, Napi::Uint8Array array)
      : next(array.Data()), left(array.ByteLength()), size(left), held(Napi::Persistent<Napi::Uint8Array>(array)),
        deferred(env) {}

  uint8_t *next;
  size_t left, size;
  std::vector<FoundPoint> points; // that came out with it
  std::vector<Window> windows;    // of points that came out with it, or before
  bool is_last = false;           // nothing is decoded after it
  std::string fault;              // for which that is so, if any
  Napi::Reference<Napi::Uint8Array> held;
  Napi::Promise::Deferred deferred;
};
using Pieces = std::deque<std::unique_ptr<Piece>>;

// What the thread that decodes shares with that of JavaScript: under the lock, but for the codec, what stands with it,
// and the first of the pieces of each kind, which are its own while it runs.
struct Stream {
  std::mutex lock;
  std::unique_ptr<Codec> codec;
  std::deque<std::unique_ptr<WindowUse>> windows; // of the last points: what is needed of them shows in what follows
  uint64_t used = 0, made = 0;                    // bytes of the stream, and of what it decodes to
  uint8_t last_byte = 0;                          // of those that were used
  uint64_t next_point = 0;                        // no point has a smaller offset
  Pieces inputs, rooms;
  bool has_all = false; // no more input will come
  bool is_over = false; // nothing more is decoded
  bool is_running = false;

  bool CanGoOn() const {
    return !is_over && !rooms.empty() && (!inputs.empty() || has_all);
  }
};

class Run : public Napi::AsyncProgressQueueWorker<Piece *> {
public:
  // Has a thread go on, if one can and none does; settles what nothing will come of. With the lock.
  static void GoOn(Napi::Env env, const std::shared_ptr<Stream> &stream) {
    if (stream->is_running)
      return;
    if (stream->is_over) {
      GiveUp(env, stream->inputs);
      GiveUp(env, stream->rooms);
    } else if (stream->CanGoOn()) {
      stream->is_running = true;
      (new Run(env, stream))->Queue();
    }
  }

  void Execute(const ExecutionProgress &progress) override {
    Stream &stream = *stream_;
    std::unique_lock<std::mutex> held(stream.lock);
    while (stream.CanGoOn()) {
      Piece *input = stream.inputs.empty() ? nullptr : stream.inputs.front().get();
      Piece *room = stream.rooms.front().get();
      held.unlock();
      const char *fault = Decode(input, *room);
      held.lock();
      if (input != nullptr && input->left == 0)
        Finish(stream.inputs, progress);
      const bool is_end = stream.has_all && stream.inputs.empty();
      if (fault != nullptr)
        room->fault = std::string("cannot be decoded: ") + fault;
      else if (is_end && !stream.codec->Whole())
        room->fault = "ends too early";
      if (is_end || fault != nullptr) {
        room->is_last = stream.is_over = true;
        while (!stream.windows.empty())
          HandOn(stream.windows, room->windows);
      }
      if (room->is_last || room->left == 0)
        Finish(stream.rooms, progress);
    }
  }

  void OnProgress(Piece *const *finished, size_t count) override {
    for (size_t i = 0; i < count; i++)
      Keep(Env(), *std::unique_ptr<Piece>(finished[i]));
  }

  void OnOK() override {
    std::lock_guard<std::mutex> held(stream_->lock);
    stream_->is_running = false;
    GoOn(Env(), stream_);
  }

private:
  Run(Napi::Env env, std::shared_ptr<Stream> stream)
      : Napi::AsyncProgressQueueWorker<Piece *>(env), stream_(std::move(stream)) {}

  // Decodes what there is of the input, if any, as far as the room goes. Returns what is wrong with the stream, or
  // null.
  const char *Decode(Piece *input, Piece &room) {
    Codec &codec = *stream_->codec;
    const size_t in = input == nullptr ? 0 : input->left, out = room.left;
    Step step{input == nullptr ? nullptr : input->next, in, room.next, out};
    const char *fault;
    do {
      const uint8_t *from = step.in;
      fault = codec.Decode(step);
      Follow(from, static_cast<size_t>(step.in - from), room.windows);
      if (fault == nullptr && codec.PointBit() >= 0 && !Note(room.points, in - step.in_left, out - step.out_left))
        fault = "there is no memory";
    } while (fault == nullptr && codec.PointBit() >= 0);
    if (input != nullptr)
      input->next += in - step.in_left, input->left = step.in_left;
    room.next = step.out, room.left = step.out_left;
    stream_->used += in - step.in_left;
    stream_->made += out - step.out_left;
    return fault;
  }

  // The codec has used these bytes of the stream.
  void Follow(const uint8_t *bytes, size_t length, std::vector<Window> &known) {
    if (length == 0)
      return;
    stream_->last_byte = bytes[length - 1];
    for (auto &window : stream_->windows)
      window->Follow(bytes, length);
    while (!stream_->windows.empty() && stream_->windows.front()->Known())
      HandOn(stream_->windows, known);
  }

  static void HandOn(std::deque<std::unique_ptr<WindowUse>> &windows, std::vector<Window> &known) {
    known.push_back(windows.front()->Needed());
    windows.pop_front();
  }

  // The codec has come to a point, so many bytes after those that are counted. In a byte that has one already, another
  // is of no use. False: there is no memory.
  bool Note(std::vector<FoundPoint> &points, size_t used, size_t made) {
    FoundPoint point;
    point.bit = static_cast<unsigned>(stream_->codec->PointBit());
    point.offset = stream_->used + used - (point.bit > 0 ? 1 : 0);
    point.out_offset = stream_->made + made;
    if (point.offset < stream_->next_point)
      return true;
    stream_->next_point = point.offset + 1;
    std::array<uint8_t, kWindowSize> window;
    point.window_size = stream_->codec->CopyWindow(window.data());
    points.push_back(point);
    if (point.window_size == 0)
      return true;
    auto use = WindowUse::Begin(point.bit, window.data(), point.window_size);
    if (use == nullptr)
      return false;
    if (point.bit > 0)
      use->Follow(&stream_->last_byte, 1);
    stream_->windows.push_back(std::move(use));
    return true;
  }

  static void Finish(Pieces &pieces, const ExecutionProgress &progress) {
    Piece *piece = pieces.front().release();
    pieces.pop_front();
    progress.Send(&piece, 1);
  }

  static void GiveUp(Napi::Env env, Pieces &pieces) {
    for (auto &piece : pieces) {
      piece->is_last = true;
      Keep(env, *piece);
    }
    pieces.clear();
  }

  static void Keep(Napi::Env env, const Piece &piece) {
    Napi::Array points = Napi::Array::New(env, piece.points.size());
    for (uint32_t i = 0; i < piece.points.size(); i++)
      points[i] = Described(env, piece.points[i]);
    Napi::Array windows = Napi::Array::New(env, piece.windows.size());
    for (uint32_t i = 0; i < piece.windows.size(); i++)
      windows[i] = Napi::Buffer<uint8_t>::Copy(env, piece.windows[i].data(), piece.windows[i].size());
    Napi::Object result = Napi::Object::New(env);
    result.Set("done", static_cast<double>(piece.size - piece.left));
    result.Set("points", points);
    result.Set("windows", windows);
    result.Set("isLast", piece.is_last);
    result.Set("fault", piece.fault);
    piece.deferred.Resolve(result);
  }

  static Napi::Object Described(Napi::Env env, const FoundPoint &point) {
    Napi::Object described = Napi::Object::New(env);
    described.Set("offset", static_cast<double>(point.offset));
    described.Set("outOffset", static_cast<double>(point.out_offset));
    described.Set("bit", point.bit);
    described.Set("windowSize", static_cast<double>(point.window_size));
    return described;
  }

  std::shared_ptr<Stream> stream_;
};

class PointDecoder : public Napi::ObjectWrap<PointDecoder> {
public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "PointDecoder",
                       {InstanceMethod("take", &PointDecoder::Take),
                        InstanceMethod("takeNoMore", &PointDecoder::TakeNoMore),
                        InstanceMethod("fill", &PointDecoder::Fill), InstanceMethod("close", &PointDecoder::Close)});
  }

  // PointDecoder(form, span): 'gzip' or 'zstd'
  explicit PointDecoder(const Napi::CallbackInfo &info)
      : Napi::ObjectWrap<PointDecoder>(info), stream_(std::make_shared<Stream>()) {
    auto &codec = stream_->codec;
    codec = info[0].As<Napi::String>().Utf8Value() == "zstd" ? NewUnzstd(false) : NewGunzip();
    if (codec == nullptr)
      Napi::Error::New(info.Env(), "there is no memory").ThrowAsJavaScriptException();
    else
      codec->StopAtPoints(static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  }

private:
  // take(input) -> promise, kept when it was decoded
  Napi::Value Take(const Napi::CallbackInfo &info) {
    return Add(info, stream_->inputs);
  }
  // fill(room) -> promise, kept when it is full, or holds the last that there is
  Napi::Value Fill(const Napi::CallbackInfo &info) {
    return Add(info, stream_->rooms);
  }

  Napi::Value Add(const Napi::CallbackInfo &info, Pieces &pieces) {
    std::lock_guard<std::mutex> held(stream_->lock);
    Piece &piece = *pieces.emplace_back(std::make_unique<Piece>(info.Env(), info[0].As<Napi::Uint8Array>()));
    Napi::Promise promise = piece.deferred.Promise();
    Run::GoOn(info.Env(), stream_);
    return promise;
  }

  void TakeNoMore(const Napi::CallbackInfo &info) {
    std::lock_guard<std::mutex> held(stream_->lock);
    stream_->has_all = true;
    Run::GoOn(info.Env(), stream_);
  }

  // What is being decoded then ends by itself.
  void Close(const Napi::CallbackInfo &info) {
    std::lock_guard<std::mutex> held(stream_->lock);
    stream_->is_over = true;
    Run::GoOn(info.Env(), stream_);
  }

  std::shared_ptr<Stream> stream_;
};

} // namespace

void AddPoints(Napi::Env env, Napi::Object exports) {
  exports.Set("PointDecoder", PointDecoder::Define(env));
}

} // namespace crfs
