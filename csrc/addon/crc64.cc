// SPDX-License-Identifier: GPL-3.0-or-later

// CRC-64 with the polynomial of ISO 3309, x^64 + x^4 + x^3 + x + 1, bits reflected: what tar-split has for files. No
// library of Debian's has it; liblzma has the polynomial of ECMA-182.

#include "addon/addon.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <endian.h>

namespace crfs {

namespace {

constexpr uint64_t kPolynomial = 0xd800000000000000;
constexpr size_t kSlices = 8; // bytes at a time

// Of the byte `b` with n bytes of zeros behind it: tables[n][b].
using Tables = std::array<std::array<uint64_t, 256>, kSlices>;

constexpr Tables MakeTables() {
  Tables tables = {};
  for (size_t byte = 0; byte < 256; byte++) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < kSlices; n++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint64_t before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

uint64_t Update(uint64_t crc, const uint8_t *bytes, size_t length) {
  crc = ~crc;
  for (; length >= kSlices; length -= kSlices, bytes += kSlices) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    word = crc ^ le64toh(word);
    crc = 0;
    for (size_t n = 0; n < kSlices; n++)
      crc ^= kTables[kSlices - 1 - n][(word >> (8 * n)) & 0xff];
  }
  for (; length > 0; length--, bytes++)
    crc = (crc >> 8) ^ kTables[0][(crc ^ *bytes) & 0xff];
  return ~crc;
}

// crc64(before, bytes) -> the sum of what `before` is the sum of, and the bytes; 0n is that of nothing.
Napi::Value Crc64(const Napi::CallbackInfo &info) {
  bool lossless = false;
  const uint64_t before = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  return Napi::BigInt::New(info.Env(), Update(before, bytes.Data(), bytes.ByteLength()));
}

} // namespace

void AddCrc64(Napi::Env env, Napi::Object exports) {
  exports.Set("crc64", Napi::Function::New(env, Crc64));
}

} // namespace crfs
