// SPDX-License-Identifier: GPL-3.0-or-later

// sha256, by the OpenSSL that Node.js brings.

#ifndef CRFS_DIGEST_H
#define CRFS_DIGEST_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <openssl/evp.h>
#include <string>

namespace crfs {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    Restart();
  }
  Sha256(const Sha256 &) = delete;
  Sha256 &operator=(const Sha256 &) = delete;
  ~Sha256() {
    EVP_MD_CTX_free(context_);
  }

  Sha256 &Restart() {
    ok_ = context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1;
    return *this;
  }
  Sha256 &Update(const void *bytes, size_t length) {
    ok_ = ok_ && EVP_DigestUpdate(context_, bytes, length) == 1;
    return *this;
  }
  Sha256 &Update(const std::string &bytes) {
    return Update(bytes.data(), bytes.size());
  }
  // False: OpenSSL fails, for lack of memory say.
  bool Final(Digest &digest) {
    ok_ = ok_ && EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1;
    return ok_;
  }

private:
  EVP_MD_CTX *context_;
  bool ok_ = false;
};

} // namespace crfs

#endif
