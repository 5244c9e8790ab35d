// SPDX-License-Identifier: GPL-3.0-or-later

#include "addon/addon.h"

namespace crfs {

void AddDeflate(Napi::Env env, Napi::Object exports) {
  (void)env;
  (void)exports;
}

} // namespace crfs
