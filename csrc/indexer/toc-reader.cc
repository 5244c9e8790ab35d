// SPDX-License-Identifier: GPL-3.0-or-later

#include "indexer/toc-reader.h"

#include <cstring>

namespace crfs {

namespace {

constexpr size_t kWindowBytes = 1 << 18;
constexpr ptrdiff_t kEntryLimit = 1 << 20; // JSON_VALUE_LIMIT

// The text of a TOC, of which the part is there that is being read.
class Window {
public:
  Window(TocText &text) : text_(text), bytes_(kWindowBytes) {}

  Json Front() const {
    return Json(bytes_.data() + at_, bytes_.data() + end_);
  }
  // What is before it was read.
  void MoveTo(const Json &json) {
    at_ = static_cast<size_t>(json.At() - bytes_.data());
  }
  // Brings in more behind what is there. False: there is no more, or too much is there already.
  bool More() {
    memmove(bytes_.data(), bytes_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
    if (end_ > static_cast<size_t>(kEntryLimit))
      return false;
    if (end_ == bytes_.size())
      bytes_.resize(2 * bytes_.size());
    size_t length;
    if (!text_.Read(bytes_.data() + end_, bytes_.size() - end_, length) || length == 0)
      return false;
    end_ += length;
    return true;
  }

  // Has READ take something from the front, which may need more of the text. False: it does not, or that is too large.
  template <typename F>
  bool Take(F read) {
    for (;;) {
      Json json = Front();
      json.Next();
      const char *start = json.At();
      if (read(json)) {
        MoveTo(json);
        return json.At() - start <= kEntryLimit;
      }
      if (!json.Short() || !More())
        return false;
    }
  }

private:
  TocText &text_;
  std::vector<char> bytes_;
  size_t at_ = 0, end_ = 0;
};

class TocReader {
public:
  TocReader(TocText &text, const std::function<bool(Entry &)> &add) : window_(text), add_(add) {}

  // The whole text: an object with a version, and entries.
  bool Read() {
    char separator;
    bool has_version = false, has_entries = false;
    std::string key;
    if (!window_.Take([](Json &json) { return json.Take('{'); }))
      return false;
    do {
      if (!window_.Take([&](Json &json) { return json.Text(key) && json.Take(':'); }))
        return false;
      if (key == "entries") {
        if (has_entries || !ReadEntries())
          return false;
        has_entries = true;
      } else if (key == "version") {
        uint64_t version = 0;
        has_version = window_.Take([&](Json &json) { return json.Number(version); }) && version == 1;
        if (!has_version)
          return false;
      } else if (!window_.Take([](Json &json) { return json.SkipScalar(); })) {
        return false;
      }
    } while (Separator('}', separator) && separator == ',');
    return separator == '}' && has_version && has_entries && IsAtEnd();
  }

private:
  bool ReadEntries() {
    char separator = 0;
    if (!window_.Take([](Json &json) { return json.Take('[') && json.Next() == '{'; }))
      return false; // without any, or none that is an object
    do
      if (!window_.Take([&](Json &json) { return reader_.Read(json, entry_); }) || !add_(entry_))
        return false;
    while (Separator(']', separator) && separator == ',');
    return separator == ']';
  }

  // A comma, or what ends the row.
  bool Separator(char end, char &found) {
    found = '\0';
    return window_.Take([&](Json &json) {
      found = json.Next();
      return json.Take(found == ',' ? ',' : end);
    });
  }

  // Nothing but white space follows.
  bool IsAtEnd() {
    do {
      Json json = window_.Front();
      if (json.Next() != '\0' || json.At() != json.End())
        return false;
      window_.MoveTo(json);
    } while (window_.More());
    return true;
  }

  Window window_;
  const std::function<bool(Entry &)> &add_;
  EntryReader reader_;
  Entry entry_;
};

} // namespace

bool ReadToc(TocText &text, const std::function<bool(Entry &entry)> &add) {
  return TocReader(text, add).Read();
}

} // namespace crfs
