// SPDX-License-Identifier: GPL-3.0-or-later

#include "addon/gunzip.h"

#include <algorithm>
#include <climits>

namespace crfs {

namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr int kRaw = -MAX_WBITS;
constexpr uint8_t kMagic[] = {0x1f, 0x8b};
constexpr size_t kTrailerSize = 8; // checksum and length

// What inflate tells in data_type.
constexpr int kUnusedBits = 7; // of the last byte used
constexpr int kInLastBlock = 64;
constexpr int kAtBlock = 128;

} // namespace

Gunzip::~Gunzip() {
  inflateEnd(&stream_);
}

bool Gunzip::Begin() {
  return inflateInit2(&stream_, kGzipOnly) == Z_OK;
}

bool Gunzip::BeginAt(const Restart &restart) {
  first_ = false;
  raw_ = true;
  bit_ = restart.bit;
  place_ = bit_ > 0 ? kBeforePoint : kInMember;
  return inflateInit2(&stream_, kRaw) == Z_OK &&
         inflateSetDictionary(&stream_, restart.window, static_cast<uInt>(restart.window_size)) == Z_OK;
}

void Gunzip::StopAtPoints(uint64_t span) {
  span_ = span;
}

int Gunzip::PointBit() const {
  return point_bit_;
}

size_t Gunzip::CopyWindow(uint8_t *out) {
  uInt length = 0;
  inflateGetDictionary(&stream_, out, &length);
  return length;
}

bool Gunzip::Whole() const {
  return place_ == kBehindMember || place_ == kInGarbage;
}

const char *Gunzip::Decode(Step &step) {
  point_bit_ = -1;
  for (;;) {
    if (place_ == kBeforePoint && step.in_left > 0)
      Prime(step);
    if (place_ == kInTrailer)
      SkipTrailer(step);
    if (place_ == kBehindMember && step.in_left > 0) {
      place_ = step.in[0] == kMagic[0] ? kInMember : kInGarbage;
      inflateReset2(&stream_, kGzipOnly);
      first_ = raw_ = false;
    }
    if (place_ == kInGarbage)
      step.in_left = 0;
    if (place_ != kInMember)
      return nullptr;
    int result = Inflate(step);
    if (result == Z_STREAM_END) {
      place_ = raw_ ? kInTrailer : kBehindMember;
      trailer_left_ = kTrailerSize;
    } else if (result == Z_DATA_ERROR && !first_ && !raw_ && stream_.total_in <= sizeof kMagic) {
      place_ = kInGarbage;
    } else if (result != Z_OK && result != Z_BUF_ERROR) { // the latter: nothing was left to do
      return stream_.msg != nullptr ? stream_.msg : zError(result);
    } else if (result == Z_BUF_ERROR || IsPoint() || !HasMore()) {
      return nullptr;
    }
  }
}

// The first byte, of which only the bits from the point on are wanted.
void Gunzip::Prime(Step &step) {
  inflatePrime(&stream_, static_cast<int>(8 - bit_), *step.in >> bit_);
  step.in++, step.in_left--;
  place_ = kInMember;
}

void Gunzip::SkipTrailer(Step &step) {
  size_t skipped = std::min(trailer_left_, step.in_left);
  step.in += skipped, step.in_left -= skipped;
  trailer_left_ -= skipped;
  if (trailer_left_ == 0)
    place_ = kBehindMember;
}

// Whether inflate has stopped only for what may be a point.
bool Gunzip::HasMore() const {
  return span_ > 0 && ((stream_.data_type & kAtBlock) != 0 || made_ == next_point_);
}

// Whether inflate has stopped where a block begins that is a restart point.
bool Gunzip::IsPoint() {
  if (span_ == 0 || made_ < next_point_ || (stream_.data_type & (kAtBlock | kInLastBlock)) != kAtBlock)
    return false;
  next_point_ = made_ + span_;
  int unused = stream_.data_type & kUnusedBits;
  point_bit_ = unused == 0 ? 0 : 8 - unused;
  return true;
}

int Gunzip::Inflate(Step &step) {
  // Blocks are short, and stopping at each one takes time: no point can come before `next_point_`.
  const bool seeks = span_ > 0 && made_ >= next_point_;
  const uint64_t most = span_ == 0 || seeks ? UINT_MAX : std::min<uint64_t>(next_point_ - made_, UINT_MAX);
  size_t in = std::min<size_t>(step.in_left, UINT_MAX), out = std::min<size_t>(step.out_left, most);
  stream_.next_in = const_cast<uint8_t *>(step.in);
  stream_.avail_in = static_cast<uInt>(in);
  stream_.next_out = step.out;
  stream_.avail_out = static_cast<uInt>(out);
  int result = inflate(&stream_, seeks ? Z_BLOCK : Z_NO_FLUSH);
  step.in = stream_.next_in;
  step.in_left -= in - stream_.avail_in;
  step.out = stream_.next_out;
  step.out_left -= out - stream_.avail_out;
  made_ += out - stream_.avail_out;
  return result;
}

namespace {

template <typename Start>
std::unique_ptr<Codec> Started(Start start) {
  auto codec = std::make_unique<Gunzip>();
  if (!start(*codec))
    return nullptr;
  return codec;
}

} // namespace

std::unique_ptr<Codec> NewGunzip() {
  return Started([](Gunzip &gunzip) { return gunzip.Begin(); });
}

std::unique_ptr<Codec> NewGunzipAt(const Restart &restart) {
  return Started([&](Gunzip &gunzip) { return gunzip.BeginAt(restart); });
}

} // namespace crfs
