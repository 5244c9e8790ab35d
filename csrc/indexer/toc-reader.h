// SPDX-License-Identifier: GPL-3.0-or-later

// The JSON text of a TOC, taken apart: an object with a version, and entries.

#ifndef CRFS_TOC_READER_H
#define CRFS_TOC_READER_H

#include "indexer/entry.h"
#include "indexer/toc-text.h"

#include <functional>

namespace crfs {

// Hands on each entry of the text, which is read to its end. False: there is something odd about the text, or ADD has
// returned false. Whether the text has ended as it should, it is to be asked itself.
bool ReadToc(TocText &text, const std::function<bool(Entry &entry)> &add);

} // namespace crfs

#endif
