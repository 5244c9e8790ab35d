// SPDX-License-Identifier: GPL-3.0-or-later

#include "addon/window-use.h"

namespace crfs {

namespace {

// The names of a place in a window, 15 bits in two bytes. These are never the same: so what comes out of both decoders
// alike was in the stream, and what does not was copied from this place.
uint8_t Low(size_t place) {
  return static_cast<uint8_t>(place);
}
uint8_t High(size_t place) {
  return static_cast<uint8_t>((place >> 8) | (~place & 0x80));
}
size_t Place(uint8_t low, uint8_t high) {
  return static_cast<size_t>(high & 0x7f) << 8 | low;
}

std::unique_ptr<Codec> DecoderOf(unsigned bit, size_t size, uint8_t (*name)(size_t)) {
  std::vector<uint8_t> window(size);
  for (size_t place = 0; place < size; place++)
    window[place] = name(place);
  return NewGunzipAt({bit, window.data(), size});
}

} // namespace

std::unique_ptr<WindowUse> WindowUse::Begin(unsigned bit, const uint8_t *window, size_t size) {
  std::unique_ptr<WindowUse> use(new WindowUse(window, size));
  use->low_ = {DecoderOf(bit, size, Low), std::vector<uint8_t>(kWindowSize)};
  use->high_ = {DecoderOf(bit, size, High), std::vector<uint8_t>(kWindowSize)};
  return use->low_.codec != nullptr && use->high_.codec != nullptr ? std::move(use) : nullptr;
}

void WindowUse::Follow(const uint8_t *in, size_t length) {
  if (Known())
    return;
  const size_t from = made_;
  for (Decoding *decoding : {&low_, &high_}) {
    Step step{in, length, decoding->out.data() + from, kWindowSize - from};
    failed_ = failed_ || decoding->codec->Decode(step) != nullptr;
    made_ = kWindowSize - step.out_left;
  }
  for (size_t i = from; i < made_; i++)
    if (low_.out[i] != high_.out[i])
      needed_[Place(low_.out[i], high_.out[i])] = true;
  if (failed_) // there is no memory, or the stream is damaged, which shows elsewhere
    needed_.assign(needed_.size(), true);
}

std::vector<uint8_t> WindowUse::Needed() const {
  std::vector<uint8_t> window(window_.size());
  for (size_t place = 0; place < window.size(); place++)
    if (needed_[place])
      window[place] = window_[place];
  return window;
}

} // namespace crfs
