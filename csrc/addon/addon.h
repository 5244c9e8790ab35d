// SPDX-License-Identifier: GPL-3.0-or-later

// The parts of the addon: each adds its functions to the module's exports.

#ifndef CRFS_ADDON_H
#define CRFS_ADDON_H

#include <napi.h>

namespace crfs {

void AddDeflate(Napi::Env env, Napi::Object exports); // deflate.cc: libdeflate, for writing layers
void AddLayout(Napi::Env env, Napi::Object exports);  // layout.cc: structures that C and TypeScript share

} // namespace crfs

#endif
