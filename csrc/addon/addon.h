// SPDX-License-Identifier: GPL-3.0-or-later

// The parts of the addon: each adds its functions to the module's exports.

#ifndef CRFS_ADDON_H
#define CRFS_ADDON_H

#include <napi.h>

namespace crfs {

void AddCrc64(Napi::Env env, Napi::Object exports);    // crc64.cc: the sums of tar-split
void AddDecoder(Napi::Env env, Napi::Object exports);  // decoder.cc: zlib and libzstd, for reading streams
void AddDeflate(Napi::Env env, Napi::Object exports);  // deflate.cc: libdeflate, for writing layers
void AddDigest(Napi::Env env, Napi::Object exports);   // digest.cc: sha256
void AddDoorbell(Napi::Env env, Napi::Object exports); // doorbell.cc: what workers sleep on
void AddFiles(Napi::Env env, Napi::Object exports);    // files.cc: mappings, locks, syncfs
void AddInflate(Napi::Env env, Napi::Object exports);  // inflate.cc: libdeflate, for reading layers
void AddIndexer(Napi::Env env, Napi::Object exports);  // indexer.cc: indexes of layers
void AddLayout(Napi::Env env, Napi::Object exports);   // layout.cc: structures that C and TypeScript share
void AddNewPages(Napi::Env env, Napi::Object exports); // new-pages.cc: what these cost
void AddPoints(Napi::Env env, Napi::Object exports);   // points.cc: where decoding can begin
void AddRings(Napi::Env env, Napi::Object exports);    // rings.cc: requests of mounts, taken by workers
void AddSocket(Napi::Env env, Napi::Object exports);   // socket.cc: the control socket
void AddWatcher(Napi::Env env, Napi::Object exports);  // watcher.cc: descriptors on the event loop
void AddZstd(Napi::Env env, Napi::Object exports);     // zstd.cc: libzstd, for writing layers

// Throws an Error with `errno` and `syscall`. Returns undefined, for callers to return.
Napi::Value ThrowErrno(Napi::Env env, const char *call, int error);

} // namespace crfs

#endif
