// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/inflated.h"

#include <algorithm>

namespace crfs {

namespace {

constexpr size_t kInputBytes = 1 << 18;

// src/main/formats/toc-bytes.ts tells why.
constexpr uint64_t kFreeBytes = 1 << 24, kRatioLimit = 100, kTotalLimit = 1ull << 32;

uint64_t LimitOf(uint64_t length) {
  return std::min(kTotalLimit, std::max(kFreeBytes, kRatioLimit * std::min(length, kTotalLimit)));
}

} // namespace

Inflated::Inflated(FileRange toc)
    : toc_(toc), limit_(LimitOf(toc.Left())), codec_(NewGunzip()), ok_(codec_ != nullptr), input_(kInputBytes) {}

bool Inflated::Read(void *into, size_t room, size_t &length) {
  step_.out = static_cast<uint8_t *>(into);
  step_.out_left = room;
  ok_ = ok_ && Fill();
  length = room - step_.out_left;
  total_ += length;
  ok_ = ok_ && total_ <= limit_;
  return ok_;
}

bool Inflated::Fill() {
  while (step_.out_left > 0) {
    const size_t before = step_.out_left;
    if (codec_->Decode(step_) != nullptr)
      return false;
    if (step_.out_left == before && step_.in_left == 0) {
      if (toc_.Left() == 0)
        return codec_->Whole();
      if (!Refill())
        return false;
    }
  }
  return true;
}

bool Inflated::Refill() {
  step_.in = input_.data();
  return toc_.Read(input_.data(), input_.size(), step_.in_left);
}

} // namespace crfs
