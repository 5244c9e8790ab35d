// SPDX-License-Identifier: GPL-3.0-or-later

// gzip (RFC 1952), by zlib: a stream from its start, or from a restart point in the midst of it. As for GNU gzip, what
// follows a member and is no other member is not part of the stream.

#ifndef CRFS_GUNZIP_H
#define CRFS_GUNZIP_H

#include "addon/codec.h"

#include <zlib.h>

namespace crfs {

class Gunzip : public Codec {
public:
  ~Gunzip() override;

  // One of these comes first. Returns false if there is no memory. `restart`: where the bytes begin that Decode is
  // given.
  bool Begin();
  bool BeginAt(const Restart &restart);

  const char *Decode(Step &step) override;
  bool Whole() const override;
  // Points are where blocks begin, with up to 32 KiB before them.
  void StopAtPoints(uint64_t span) override;
  int PointBit() const override;
  size_t CopyWindow(uint8_t *out) override;

private:
  void Prime(Step &step);
  void SkipTrailer(Step &step);
  int Inflate(Step &step);
  bool HasMore() const;
  bool IsPoint();

  enum {
    kBeforePoint,
    kInMember,
    kInTrailer, // of a member whose header was not read: the rest of the stream is checked by zlib, this one is not
    kBehindMember,
    kInGarbage,
  } place_ = kInMember;
  bool first_ = true; // the first member, without which there is no stream
  bool raw_ = false;  // within a member whose header was not read
  unsigned bit_ = 0;  // of the first byte, at which a stream begins that is begun at a point
  size_t trailer_left_ = 0;
  uint64_t span_ = 0; // 0: it stops at no points
  uint64_t made_ = 0, next_point_ = 0;
  int point_bit_ = -1;
  z_stream stream_ = {};
};

} // namespace crfs

#endif
