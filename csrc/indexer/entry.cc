// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/entry.h"
#include "shared/index.h"

#include <string_view>

namespace crfs {

namespace {

constexpr uint64_t kIdLimit = UINT32_MAX - 1; // -1 means "no id" to chown
constexpr uint64_t kMajorLimit = (1 << 12) - 1, kMinorLimit = (1 << 20) - 1;
constexpr size_t kXattrLimit = 64, kXattrBytes = 65536;

const char *const kTypes[] = {"dir", "reg", "symlink", "hardlink", "char", "block", "fifo", "chunk"};

// null is as good as nothing.
bool TextOrNull(Json &json, std::string &value) {
  if (json.Next() != 'n')
    return json.Text(value);
  value.clear();
  return json.Null();
}

bool NumberOrNull(Json &json, uint64_t &value) {
  if (json.Next() != 'n')
    return json.Number(value);
  value = 0;
  return json.Null();
}

bool CheckDigest(const std::string &text, bool &has, Digest &digest) {
  has = !text.empty();
  return !has || ParseDigest(text, digest);
}

} // namespace

bool EntryReader::Read(Json &json, Entry &entry) {
  for (std::string *text :
       {&texts_.name, &texts_.type, &texts_.link, &texts_.time, &texts_.digest, &texts_.chunk_digest})
    text->clear();
  numbers_ = {};
  entry.xattr_count = 0;
  entry.size = entry.offset = entry.inner_offset = entry.chunk_offset = entry.chunk_size = 0;
  if (!json.Take('{'))
    return false;
  if (json.Next() == '}')
    return false; // an entry without a type
  do {
    if (!json.Text(key_) || !json.Take(':') || !ReadField(json, entry))
      return false;
  } while (json.Next() == ',' && json.Take(','));
  return json.Take('}') && Check(entry);
}

// The value of the key; of a key that stands twice, the last counts.
bool EntryReader::ReadField(Json &json, Entry &entry) {
  struct {
    std::string_view key;
    std::string *text;
  } const texts[] = {{"name", &texts_.name},    {"type", &texts_.type},     {"linkName", &texts_.link},
                     {"modtime", &texts_.time}, {"digest", &texts_.digest}, {"chunkDigest", &texts_.chunk_digest}};
  struct {
    std::string_view key;
    uint64_t *number;
  } const numbers[] = {{"size", &entry.size},
                       {"offset", &entry.offset},
                       {"mode", &numbers_.mode},
                       {"uid", &numbers_.uid},
                       {"gid", &numbers_.gid},
                       {"innerOffset", &entry.inner_offset},
                       {"chunkOffset", &entry.chunk_offset},
                       {"chunkSize", &entry.chunk_size},
                       {"devMajor", &numbers_.major},
                       {"devMinor", &numbers_.minor}};
  for (auto &[key, text] : texts)
    if (key_ == key)
      return TextOrNull(json, *text);
  for (auto &[key, number] : numbers)
    if (key_ == key)
      return NumberOrNull(json, *number);
  if (key_ == "xattrs")
    return ReadXattrs(json, entry);
  return key_ != "endOffset" && key_ != "chunkType" && json.SkipScalar(); // these are of zstd:chunked
}

bool EntryReader::ReadXattrs(Json &json, Entry &entry) {
  entry.xattr_count = 0;
  if (json.Next() == 'n')
    return json.Null();
  if (!json.Take('{'))
    return false;
  if (json.Next() == '}')
    return json.Take('}');
  do {
    if (entry.xattr_count == kXattrLimit)
      return false;
    if (entry.xattr_count == entry.xattrs.size())
      entry.xattrs.emplace_back();
    EntryXattr &xattr = entry.xattrs[entry.xattr_count];
    if (!json.Text(xattr.name) || !json.Take(':') || !TextOrNull(json, value_) || !ParseBase64(value_, xattr.value))
      return false;
    // JavaScript brings keys that are numbers to the front, and keeps the place of one that stands twice.
    if (xattr.name.empty() || xattr.name.size() > CRFS_NAME_LIMIT || xattr.value.size() > kXattrBytes ||
        (xattr.name[0] >= '0' && xattr.name[0] <= '9'))
      return false;
    for (size_t i = 0; i < entry.xattr_count; i++)
      if (entry.xattrs[i].name == xattr.name)
        return false;
    entry.xattr_count++;
  } while (json.Next() == ',' && json.Take(','));
  return json.Take('}');
}

bool EntryReader::Check(Entry &entry) {
  size_t type = 0;
  while (type < std::size(kTypes) && texts_.type != kTypes[type])
    type++;
  if (type == std::size(kTypes))
    return false;
  entry.type = static_cast<EntryType>(type);
  entry.path.clear();
  if (entry.type != EntryType::kChunk && (texts_.name.empty() || !CleanPath(texts_.name, entry.path)))
    return false;
  if (numbers_.uid > kIdLimit || numbers_.gid > kIdLimit || numbers_.major > kMajorLimit ||
      numbers_.minor > kMinorLimit)
    return false;
  entry.mode = numbers_.mode & 07777;
  entry.uid = static_cast<uint32_t>(numbers_.uid);
  entry.gid = static_cast<uint32_t>(numbers_.gid);
  entry.major = static_cast<uint32_t>(numbers_.major);
  entry.minor = static_cast<uint32_t>(numbers_.minor);
  entry.time = {0, 0};
  return (texts_.time.empty() || ParseTime(texts_.time, entry.time)) && CheckLink(entry) &&
         CheckDigest(texts_.digest, entry.has_digest, entry.digest) &&
         CheckDigest(texts_.chunk_digest, entry.has_chunk_digest, entry.chunk_digest);
}

bool EntryReader::CheckLink(Entry &entry) {
  entry.link.clear();
  if (entry.type == EntryType::kHardlink)
    return CleanPath(texts_.link, entry.link);
  if (entry.type != EntryType::kSymlink)
    return true;
  entry.link = texts_.link;
  return !entry.link.empty() && entry.link.size() <= CRFS_PATH_LIMIT;
}

} // namespace crfs
