// SPDX-License-Identifier: GPL-3.0-or-later

// Zstandard (RFC 8878), by libzstd: frames and skippable frames, any number of them in any order.

#include "addon/codec.h"

#include <zstd.h>
#include <zstd_errors.h>

namespace crfs {

namespace {

constexpr int kUsualWindowLog = 27; // what `zstd` reads unasked: 128 MiB
constexpr int kAnyWindowLog = 31;   // what `zstd --long=31` takes, the most that libzstd can

struct Deleter {
  void operator()(ZSTD_DCtx *context) const {
    ZSTD_freeDCtx(context);
  }
};
using Context = std::unique_ptr<ZSTD_DCtx, Deleter>;

// By the first byte of its magic number. libzstd also reads forms from before there was a standard, unasked.
bool BeginsFrame(uint8_t byte) {
  return byte == 0x28 || (byte & 0xf0) == 0x50;
}

const char *Explain(size_t error, bool any_window) {
  switch (ZSTD_getErrorCode(error)) {
  case ZSTD_error_dictionary_wrong:
    return "it was made with a dictionary, which it does not bring along";
  case ZSTD_error_frameParameter_windowTooLarge:
    return any_window ? "it takes a window of more than 2 GiB" : "it takes a window of more than 128 MiB";
  case ZSTD_error_memory_allocation:
    return "it takes a window for which there is no memory";
  default:
    return ZSTD_getErrorName(error);
  }
}

class Unzstd : public Codec {
public:
  Unzstd(Context context, bool any_window) : context_(std::move(context)), any_window_(any_window) {}

  bool Whole() const override {
    return between_;
  }

  const char *Decode(Step &step) override {
    ZSTD_inBuffer in = {step.in, step.in_left, 0};
    ZSTD_outBuffer out = {step.out, step.out_left, 0};
    const uint64_t made = made_;
    const char *fault = nullptr;
    at_point_ = false;
    do {
      if (between_ && in.pos == in.size)
        break;
      if (between_ && !BeginsFrame(step.in[in.pos])) {
        fault = "what follows a frame is none";
        break;
      }
      if (between_ && IsPoint())
        break;
      size_t result = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(result))
        fault = Explain(result, any_window_);
      between_ = result == 0;
      made_ = made + out.pos;
    } while (fault == nullptr && (between_ || (in.pos < in.size && out.pos < out.size)));
    step = {step.in + in.pos, in.size - in.pos, step.out + out.pos, out.size - out.pos};
    return fault;
  }

  // Points are where frames begin, with nothing before them that is needed.
  void StopAtPoints(uint64_t span) override {
    span_ = span;
  }
  int PointBit() const override {
    return at_point_ ? 0 : -1;
  }
  size_t CopyWindow(uint8_t *) override {
    return 0;
  }

private:
  // Whether the frame that begins here does so at a point that was not stopped at.
  bool IsPoint() {
    at_point_ = span_ > 0 && made_ >= next_point_;
    if (at_point_)
      next_point_ = made_ + span_;
    return at_point_;
  }

  Context context_;
  bool any_window_;
  bool between_ = true; // two frames
  uint64_t span_ = 0;   // 0: it stops at no points
  uint64_t made_ = 0, next_point_ = 0;
  bool at_point_ = false;
};

} // namespace

std::unique_ptr<Codec> NewUnzstd(bool any_window) {
  Context context(ZSTD_createDCtx());
  const int most = any_window ? kAnyWindowLog : kUsualWindowLog;
  if (context == nullptr || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, most)))
    return nullptr;
  return std::make_unique<Unzstd>(std::move(context), any_window);
}

} // namespace crfs
