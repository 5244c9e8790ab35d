// SPDX-License-Identifier: GPL-3.0-or-later

// Portable indexes, which anybody may have written: src/main/formats/portable/read.ts.

#ifndef CRFS_PORTABLE_H
#define CRFS_PORTABLE_H

#include "indexer/layer.h"

namespace crfs {

// Takes in one, behind its header; sets the sha256 of all of it. False: there is something odd about it, or it cannot
// be read.
bool ReadPortable(const IndexRequest &request, Layer &layer, Digest &digest);

} // namespace crfs

#endif
