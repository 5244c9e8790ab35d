// SPDX-License-Identifier: GPL-3.0-or-later

#include "addon/addon.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  crfs::AddCrc64(env, exports);
  crfs::AddDecoder(env, exports);
  crfs::AddDeflate(env, exports);
  crfs::AddDigest(env, exports);
  crfs::AddDoorbell(env, exports);
  crfs::AddFiles(env, exports);
  crfs::AddIndexer(env, exports);
  crfs::AddInflate(env, exports);
  crfs::AddLayout(env, exports);
  crfs::AddNewPages(env, exports);
  crfs::AddPoints(env, exports);
  crfs::AddRings(env, exports);
  crfs::AddSocket(env, exports);
  crfs::AddWatcher(env, exports);
  crfs::AddZstd(env, exports);
  return exports;
}

NODE_API_MODULE(crfs_addon, Init)
