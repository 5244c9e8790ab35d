// SPDX-License-Identifier: GPL-3.0-or-later

// gzip (RFC 1952), by zlib. As for GNU gzip, what follows a member and is no other member is not part of the stream.

#include "addon/codec.h"

#include <algorithm>
#include <climits>
#include <zlib.h>

namespace crfs {

namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr uint8_t kMagic[] = {0x1f, 0x8b};

class Gunzip : public Codec {
public:
  ~Gunzip() override {
    inflateEnd(&stream_);
  }

  bool Init() {
    return inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }

  bool Whole() const override {
    return place_ != kInMember;
  }

  const char *Decode(Step &step) override {
    for (;;) {
      if (place_ == kBehindMember && step.in_left > 0) {
        place_ = step.in[0] == kMagic[0] ? kInMember : kInGarbage;
        inflateReset(&stream_);
        first_ = false;
      }
      if (place_ == kInGarbage)
        step.in_left = 0;
      if (place_ != kInMember)
        return nullptr;
      int result = Inflate(step);
      if (result == Z_STREAM_END)
        place_ = kBehindMember;
      else if (result == Z_DATA_ERROR && !first_ && stream_.total_in <= sizeof kMagic)
        place_ = kInGarbage;
      else // Z_BUF_ERROR: nothing was left to do
        return result == Z_OK || result == Z_BUF_ERROR ? nullptr
               : stream_.msg != nullptr                ? stream_.msg
                                                       : zError(result);
    }
  }

private:
  int Inflate(Step &step) {
    size_t in = std::min<size_t>(step.in_left, UINT_MAX), out = std::min<size_t>(step.out_left, UINT_MAX);
    stream_.next_in = const_cast<uint8_t *>(step.in);
    stream_.avail_in = static_cast<uInt>(in);
    stream_.next_out = step.out;
    stream_.avail_out = static_cast<uInt>(out);
    int result = inflate(&stream_, Z_NO_FLUSH);
    step.in = stream_.next_in;
    step.in_left -= in - stream_.avail_in;
    step.out = stream_.next_out;
    step.out_left -= out - stream_.avail_out;
    return result;
  }

  enum {
    kInMember,
    kBehindMember,
    kInGarbage,
  } place_ = kInMember;
  bool first_ = true; // the first member, without which there is no stream
  z_stream stream_ = {};
};

} // namespace

std::unique_ptr<Codec> NewGunzip() {
  auto codec = std::make_unique<Gunzip>();
  if (!codec->Init())
    return nullptr;
  return codec;
}

} // namespace crfs
