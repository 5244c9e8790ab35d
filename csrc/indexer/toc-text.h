// SPDX-License-Identifier: GPL-3.0-or-later

// The JSON text of a TOC, piece by piece.

#ifndef CRFS_TOC_TEXT_H
#define CRFS_TOC_TEXT_H

#include "indexer/digest.h"
#include "indexer/inflated.h"

#include <cstdint>

namespace crfs {

class TocText {
public:
  virtual ~TocText() = default;
  // The next bytes of the text, up to ROOM; sets LENGTH, 0 at its end. False: there is something odd about what holds
  // it, or it cannot be read.
  virtual bool Read(char *into, size_t room, size_t &length) = 0;
};

// Out of the gzip'ed tar of one file that holds it in eStargz (eStargz specification, "TOC").
class TarText : public TocText {
public:
  explicit TarText(FileRange toc) : tar_(toc) {}

  bool Read(char *into, size_t room, size_t &length) override;
  // sha256 of the text, once all of it was read.
  bool Finish(Digest &digest);

private:
  bool ReadHeader();
  bool ReadEnd();

  Inflated tar_;
  uint64_t left_ = 0;   // bytes of the text
  uint64_t behind_ = 0; // bytes between the text and the next block of the tar
  bool begun_ = false;
  Sha256 sha256_;
};

// Out of gzip that holds nothing else.
class BareText : public TocText {
public:
  explicit BareText(FileRange toc) : text_(toc) {}

  bool Read(char *into, size_t room, size_t &length) override {
    return text_.Read(into, room, length);
  }
  // Whether all of it was read, to its sound end.
  bool Finish() {
    char more;
    size_t length;
    return text_.Read(&more, sizeof more, length) && length == 0;
  }

private:
  Inflated text_;
};

} // namespace crfs

#endif
