// SPDX-License-Identifier: GPL-3.0-or-later

// Sizes, offsets and limits of the structures in csrc/shared, for TypeScript to learn: the headers are the one
// definition. `layout.inode.mtimeSec` is an offset in bytes, `layout.inode.bytes` the size of the structure.

#include "addon/addon.h"
#include "shared/control.h"
#include "shared/draft.h"
#include "shared/environment.h"
#include "shared/index.h"
#include "shared/ring.h"

namespace crfs {

namespace {

struct Field {
  const char *name;
  double value;
};

Napi::Object Numbers(Napi::Env env, std::initializer_list<Field> fields) {
  Napi::Object object = Napi::Object::New(env);
  for (const Field &field : fields)
    object.Set(field.name, Napi::Number::New(env, field.value));
  object.Freeze();
  return object;
}

template <size_t count>
Napi::Array Names(Napi::Env env, const char *const (&names)[count]) {
  Napi::Array array = Napi::Array::New(env, count);
  for (size_t i = 0; i < count; i++)
    array.Set(static_cast<uint32_t>(i), Napi::String::New(env, names[i]));
  array.Freeze();
  return array;
}

#define OFFSET(type, member) static_cast<double>(offsetof(struct type, member))
#define BYTES(type) static_cast<double>(sizeof(struct type))

Napi::Object Layout(Napi::Env env) {
  Napi::Object layout = Napi::Object::New(env);
  layout.Set("index", Numbers(env, {{"bytes", BYTES(crfs_index)},
                                    {"version", OFFSET(crfs_index, version)},
                                    {"probes", OFFSET(crfs_index, probes)},
                                    {"fileSize", OFFSET(crfs_index, file_size)},
                                    {"key", OFFSET(crfs_index, key)},
                                    {"inoBase", OFFSET(crfs_index, ino_base)},
                                    {"blobUsed", OFFSET(crfs_index, blob_used)},
                                    {"codec", OFFSET(crfs_index, codec)},
                                    {"prefetchEnd", OFFSET(crfs_index, prefetch_end)},
                                    {"contentSize", OFFSET(crfs_index, content_size)},
                                    {"hashSeed", OFFSET(crfs_index, hash_seed)},
                                    {"flags", OFFSET(crfs_index, flags)},
                                    {"inodes", OFFSET(crfs_index, inodes)},
                                    {"dirents", OFFSET(crfs_index, dirents)},
                                    {"chunks", OFFSET(crfs_index, chunks)},
                                    {"digests", OFFSET(crfs_index, digests)},
                                    {"xattrs", OFFSET(crfs_index, xattrs)},
                                    {"slots", OFFSET(crfs_index, slots)},
                                    {"strings", OFFSET(crfs_index, strings)},
                                    {"points", OFFSET(crfs_index, points)},
                                    {"windows", OFFSET(crfs_index, windows)}}));
  layout.Set("table", Numbers(env, {{"bytes", BYTES(crfs_table)},
                                    {"offset", OFFSET(crfs_table, offset)},
                                    {"count", OFFSET(crfs_table, count)}}));
  layout.Set("inode", Numbers(env, {{"bytes", BYTES(crfs_inode)},
                                    {"size", OFFSET(crfs_inode, size)},
                                    {"mtimeSec", OFFSET(crfs_inode, mtime_sec)},
                                    {"mtimeNsec", OFFSET(crfs_inode, mtime_nsec)},
                                    {"mode", OFFSET(crfs_inode, mode)},
                                    {"uid", OFFSET(crfs_inode, uid)},
                                    {"gid", OFFSET(crfs_inode, gid)},
                                    {"nlink", OFFSET(crfs_inode, nlink)},
                                    {"flags", OFFSET(crfs_inode, flags)},
                                    {"xattrFirst", OFFSET(crfs_inode, xattr_first)},
                                    {"xattrCount", OFFSET(crfs_inode, xattr_count)},
                                    {"first", OFFSET(crfs_inode, first)},
                                    {"count", OFFSET(crfs_inode, count)},
                                    {"dirent", OFFSET(crfs_inode, dirent)},
                                    {"key", OFFSET(crfs_inode, u.key)},
                                    {"major", OFFSET(crfs_inode, u.rdev.major)},
                                    {"minor", OFFSET(crfs_inode, u.rdev.minor)}}));
  layout.Set("dirent", Numbers(env, {{"bytes", BYTES(crfs_dirent)},
                                     {"path", OFFSET(crfs_dirent, path)},
                                     {"inode", OFFSET(crfs_dirent, inode)},
                                     {"pathLength", OFFSET(crfs_dirent, path_length)},
                                     {"nameLength", OFFSET(crfs_dirent, name_length)},
                                     {"type", OFFSET(crfs_dirent, type)}}));
  layout.Set("chunk", Numbers(env, {{"bytes", BYTES(crfs_chunk)},
                                    {"offset", OFFSET(crfs_chunk, offset)},
                                    {"end", OFFSET(crfs_chunk, end)},
                                    {"inner", OFFSET(crfs_chunk, inner)},
                                    {"fileOffset", OFFSET(crfs_chunk, file_offset)},
                                    {"size", OFFSET(crfs_chunk, size)},
                                    {"digest", OFFSET(crfs_chunk, digest)},
                                    {"inode", OFFSET(crfs_chunk, inode)}}));
  layout.Set("xattr", Numbers(env, {{"bytes", BYTES(crfs_xattr)},
                                    {"name", OFFSET(crfs_xattr, name)},
                                    {"value", OFFSET(crfs_xattr, value)},
                                    {"valueLength", OFFSET(crfs_xattr, value_length)},
                                    {"nameLength", OFFSET(crfs_xattr, name_length)}}));
  layout.Set("slot", Numbers(env, {{"bytes", BYTES(crfs_slot)},
                                   {"tag", OFFSET(crfs_slot, tag)},
                                   {"dirent", OFFSET(crfs_slot, dirent)}}));
  layout.Set("point", Numbers(env, {{"bytes", BYTES(crfs_point)},
                                    {"offset", OFFSET(crfs_point, offset)},
                                    {"out", OFFSET(crfs_point, out)},
                                    {"window", OFFSET(crfs_point, window)},
                                    {"windowLength", OFFSET(crfs_point, window_length)},
                                    {"windowSize", OFFSET(crfs_point, window_size)},
                                    {"bit", OFFSET(crfs_point, bit)}}));
  layout.Set("message", Numbers(env, {{"bytes", BYTES(crfs_message)},
                                      {"type", OFFSET(crfs_message, type)},
                                      {"textLength", OFFSET(crfs_message, text_length)},
                                      {"helloVersion", OFFSET(crfs_message, hello.version)},
                                      {"openAgain", OFFSET(crfs_message, open.again)},
                                      {"layerSource", OFFSET(crfs_message, layer.source)},
                                      {"layerPlace", OFFSET(crfs_message, layer.place)},
                                      {"layerDigest", OFFSET(crfs_message, layer.digest)},
                                      {"welcomeVersion", OFFSET(crfs_message, welcome.version)},
                                      {"openedSource", OFFSET(crfs_message, opened.source)},
                                      {"openedLayers", OFFSET(crfs_message, opened.layers)},
                                      {"layerIndexNumber", OFFSET(crfs_message, layer_index.number)},
                                      {"layerIndexDigest", OFFSET(crfs_message, layer_index.digest)},
                                      {"errorErrno", OFFSET(crfs_message, error.error)},
                                      {"storedSource", OFFSET(crfs_message, describe.source)},
                                      {"fetchOffset", OFFSET(crfs_message, fetch.offset)},
                                      {"fetchSize", OFFSET(crfs_message, fetch.size)},
                                      {"referLess", OFFSET(crfs_message, refer.less)},
                                      {"describedSize", OFFSET(crfs_message, described.size)},
                                      {"referredUses", OFFSET(crfs_message, referred.uses)}}));
  layout.Set("constants", Numbers(env, {{"indexVersion", CRFS_INDEX_VERSION},
                                        {"nameLimit", CRFS_NAME_LIMIT},
                                        {"pathLimit", CRFS_PATH_LIMIT},
                                        {"inodeLimit", CRFS_INODE_LIMIT},
                                        {"probeLimit", CRFS_PROBE_LIMIT},
                                        {"indexUnverified", CRFS_INDEX_UNVERIFIED},
                                        {"codecGzip", CRFS_CODEC_GZIP},
                                        {"codecZstd", CRFS_CODEC_ZSTD},
                                        {"codecGzipPoints", CRFS_CODEC_GZIP_POINTS},
                                        {"codecNone", CRFS_CODEC_NONE},
                                        {"windowLimit", CRFS_WINDOW_LIMIT},
                                        {"inodeDigest", CRFS_INODE_DIGEST},
                                        {"inodeWhole", CRFS_INODE_WHOLE},
                                        {"inodeSummed", CRFS_INODE_SUMMED},
                                        {"chunkThere", CRFS_CHUNK_THERE},
                                        {"draftSlack", CRFS_DRAFT_SLACK},
                                        {"requestQuick", CRFS_REQUEST_QUICK},
                                        {"lazyUntried", CRFS_LAZY_UNTRIED},
                                        {"lazyWorks", CRFS_LAZY_WORKS},
                                        {"lazyImpossible", CRFS_LAZY_IMPOSSIBLE},
                                        {"ringSize", CRFS_RING_SIZE},
                                        {"traceSize", CRFS_TRACE_SIZE},
                                        {"noInode", CRFS_NO_INODE},
                                        {"controlVersion", CRFS_CONTROL_VERSION},
                                        {"controlTextLimit", CRFS_CONTROL_TEXT_LIMIT},
                                        {"busyIntervalMs", CRFS_BUSY_INTERVAL_MS},
                                        {"beatIntervalMs", CRFS_BEAT_INTERVAL_MS},
                                        {"hello", CRFS_HELLO},
                                        {"open", CRFS_OPEN},
                                        {"layer", CRFS_LAYER},
                                        {"here", CRFS_HERE},
                                        {"welcome", CRFS_WELCOME},
                                        {"opened", CRFS_OPENED},
                                        {"layerIndex", CRFS_LAYER_INDEX},
                                        {"busy", CRFS_BUSY},
                                        {"error", CRFS_ERROR},
                                        {"describe", CRFS_DESCRIBE},
                                        {"fetch", CRFS_FETCH},
                                        {"refer", CRFS_REFER},
                                        {"described", CRFS_DESCRIBED},
                                        {"fetched", CRFS_FETCHED},
                                        {"referred", CRFS_REFERRED}}));
  layout.Set("environment", Names(env, crfs_environment_names));
  layout.Set("indexMagic", Napi::BigInt::New(env, static_cast<uint64_t>(CRFS_INDEX_MAGIC)));
  layout.Freeze();
  return layout;
}

// indexHash(seed, path) -> [place, tag]: the path hash as C computes it.
Napi::Value IndexHash(const Napi::CallbackInfo &info) {
  Napi::Uint8Array path = info[1].As<Napi::Uint8Array>();
  crfs_hash hash = crfs_hash_path(info[0].As<Napi::Number>().Uint32Value(), reinterpret_cast<const char *>(path.Data()),
                                  path.ByteLength());
  Napi::Array words = Napi::Array::New(info.Env(), 2);
  words[0u] = Napi::Number::New(info.Env(), hash.place);
  words[1u] = Napi::Number::New(info.Env(), hash.tag);
  return words;
}

// draftMap(size) -> where the map of a draft begins.
Napi::Value DraftMap(const Napi::CallbackInfo &info) {
  uint64_t size = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
  return Napi::Number::New(info.Env(), static_cast<double>(crfs_draft_map(size)));
}

// indexCheck(bytes) -> what is wrong with an index, or null.
Napi::Value IndexCheck(const Napi::CallbackInfo &info) {
  Napi::Uint8Array bytes = info[0].As<Napi::Uint8Array>();
  crfs_index_view view;
  const char *wrong = crfs_index_open(&view, bytes.Data(), bytes.ByteLength());
  if (wrong == nullptr)
    return info.Env().Null();
  return Napi::String::New(info.Env(), wrong);
}

} // namespace

void AddLayout(Napi::Env env, Napi::Object exports) {
  exports.Set("layout", Layout(env));
  exports.Set("draftMap", Napi::Function::New(env, DraftMap));
  exports.Set("indexHash", Napi::Function::New(env, IndexHash));
  exports.Set("indexCheck", Napi::Function::New(env, IndexCheck));
}

} // namespace crfs
